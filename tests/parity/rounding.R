# How much do DESeq2's own numbers depend on the order in which samples are added up?
# usage: Rscript rounding.R REFERENCE COUNTS OUT.json [NAME,NAME...]
#
# Every data set is fitted once as it is, which must give the stored gene table bit by bit, and many times with its
# samples in another order. The order changes nothing but rounding. Written are, for each data set, the largest relative
# movement of the trend, and for each gene that moves by more than 1e-9 the movements of
# - its gene-wise dispersion (where above 1e-6), and
# - its shrunken dispersion, all else that this depends on (gene-wise dispersions, trend, prior) held fixed; where the
#   trend moves by more than 1e-9, also with the trend as it moves, if the gene then moves five times as far as the trend.
# Genes whose outliers are replaced are followed with their replaced counts too.
a <- commandArgs(TRUE); reference <- a[1]; counts <- a[2]; out <- a[3]
suppressMessages(library(DESeq2))

read <- function(path) as.matrix(read.csv(path, row.names = 1, check.names = FALSE))
problem <- function(name) {
  study <- file.exists(file.path(reference, name)); dir <- file.path(reference, if (study) name else file.path("cases", name))
  k <- read(if (study) file.path(counts, paste0(name, "_counts.csv.gz")) else file.path(dir, "counts.csv.gz"))
  X <- read(file.path(dir, "design_matrix.csv.gz")); k <- k[, rownames(X)]; storage.mode(k) <- "integer"
  nf <- file.path(dir, "normalization_factors.csv.gz"); type <- if (grepl("poscounts", name)) "poscounts" else "ratio"
  f <- if (file.exists(nf)) read(nf) else { d <- estimateSizeFactors(DESeqDataSetFromMatrix(k, data.frame(z = seq_len(ncol(k))), ~1), type = type); sizeFactors(d) }
  wt <- file.path(dir, "weights.csv.gz"); weights <- if (file.exists(wt)) read(wt)
  list(k = k, X = X, f = f, weights = weights, study = study, truth = read.csv(file.path(dir, "genes.csv.gz"), row.names = 1))
}
dataset <- function(k, f, order, weights = NULL) {
  d <- DESeqDataSetFromMatrix(k[, order], data.frame(row.names = colnames(k)[order], z = order), ~1)
  if (is.matrix(f)) normalizationFactors(d) <- f[, order] else sizeFactors(d) <- f[order]
  if (!is.null(weights)) assays(d, withDimnames = FALSE)[["weights"]] <- weights[, order]
  d
}
moved <- function(x, y) { r <- abs(x - y) / abs(y); r[is.na(r)] <- 0; r }
# The movements of one set of counts; `known`: a dispersion function to use instead of fitting one.
follow <- function(k, X, f, orders, known = NULL, weights = NULL) {
  fit <- function(order) {
    d <- estimateDispersionsGeneEst(dataset(k, f, order, weights), modelMatrix = X[order, ], quiet = TRUE)
    trend <- if (is.null(known)) estimateDispersionsFit(d, quiet = TRUE) else { dispersionFunction(d) <- known; d }
    list(d = d, trend = trend)
  }
  shrink <- function(d, order, own, fun) {
    mcols(d)$dispGeneEst <- own; suppressWarnings(dispersionFunction(d) <- fun)
    v <- if (is.null(attr(fun, "dispPriorVar"))) estimateDispersionsPriorVar(d, modelMatrix = X[order, ]) else attr(fun, "dispPriorVar")
    d <- estimateDispersionsMAP(d, modelMatrix = X[order, ], dispPriorVar = v, quiet = TRUE)
    mcols(d)$dispMAP
  }
  n <- ncol(k); base <- fit(seq_len(n)); own <- mcols(base$d)$dispGeneEst; fun <- dispersionFunction(base$trend)
  whole <- estimateDispersionsMAP(base$trend, modelMatrix = X, quiet = TRUE)
  if (is.null(known)) fun <- dispersionFunction(whole)
  map <- shrink(base$d, seq_len(n), own, fun); g <- m <- drifted <- 0; t <- drift <- 0; set.seed(1)
  for (i in seq_len(orders)) {
    order <- if (i == 1) rev(seq_len(n)) else sample(n); again <- fit(order); e <- mcols(again$d)$dispGeneEst
    g <- pmax(g, ifelse(is.na(e) | (e <= 1e-6 & own <= 1e-6), 0, moved(e, own))); t <- max(t, moved(mcols(again$trend)$dispFit, mcols(base$trend)$dispFit))
    m <- pmax(m, moved(shrink(again$d, order, own, fun), map))
    if (is.null(known) && t > 1e-9) {  # the trend of these gene-wise dispersions, but for those that jump
      d <- again$d; mcols(d)$dispGeneEst <- ifelse(moved(e, own) > 0.01, own, e); d <- estimateDispersionsFit(d, quiet = TRUE)
      drift <- max(drift, moved(mcols(d)$dispFit, mcols(base$trend)$dispFit))
      drifted <- pmax(drifted, moved(mcols(estimateDispersionsMAP(d, modelMatrix = X[order, ], quiet = TRUE))$dispMAP, map))
    }
  }
  m <- pmax(m, ifelse(drifted > 5 * max(drift, 1e-9), drifted, 0))
  list(gene = g, map = m, trend = t, fun = fun, dispersion = mcols(whole)$dispersion)
}
pairs_of <- function(r, labels) { keep <- which(r$gene > 1e-9 | r$map > 1e-9); setNames(Map(c, signif(r$gene[keep], 3), signif(r$map[keep], 3)), labels[keep]) }

names <- c("pasilla", "airway", "study48", "study94", list.files(file.path(reference, "cases")))
if (length(a) > 3) names <- strsplit(a[4], ",")[[1]]
found <- list(DESeq2 = as.character(packageVersion("DESeq2")))
for (name in names) {
  p <- problem(name); orders <- if (name == "study94") 32 else 100
  r <- suppressMessages(follow(p$k, p$X, p$f, orders, weights = p$weights)); replaced <- p$truth$replace %in% TRUE
  stopifnot(identical(r$dispersion[!replaced], p$truth$dispersion[!replaced]))
  genes <- pairs_of(r, rownames(p$k))
  if (any(replaced)) {
    s <- data.frame(row.names = colnames(p$k), cell = factor(apply(p$X, 1, paste, collapse = " ")))
    d <- DESeqDataSetFromMatrix(p$k, s, ~1); sizeFactors(d) <- p$f
    d <- suppressMessages(DESeq(d, full = p$X, betaPrior = FALSE, quiet = TRUE)); k <- assays(d)[["replaceCounts"]]
    again <- replaced & rowSums(k) > 0
    if (any(again)) { more <- pairs_of(suppressMessages(follow(k[again, , drop = FALSE], p$X, p$f, orders, r$fun)), rownames(k)[again]); genes[names(more)] <- more }
  }
  found[[name]] <- list(orders = orders, trend = r$trend, genes = genes)
  cat(name, orders, "orders, trend", r$trend, "genes", length(genes), "largest", max(r$gene), max(r$map), "\n")
}
writeLines(jsonlite::toJSON(found, auto_unbox = TRUE, digits = NA), out)
