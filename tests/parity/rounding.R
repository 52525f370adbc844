# How much do DESeq2's own numbers depend on the order in which samples are added up?
# usage: Rscript rounding.R REFERENCE COUNTS OUT.json
#
# Every data set is fitted once as it is, which must give the stored gene table, and several times with its samples in
# another order. The order changes nothing but rounding. For each gene whose gene-wise or final dispersion moves by more
# than 1e-10, the largest relative movement is written, and for each data set the largest movement of the trend.
# Gene-wise dispersions at or below 1e-6 count as the same.
a <- commandArgs(TRUE); reference <- a[1]; counts <- a[2]; out <- a[3]
suppressMessages(library(DESeq2))

read <- function(path) as.matrix(read.csv(path, row.names = 1, check.names = FALSE))
problem <- function(name) {
  study <- file.exists(file.path(reference, name)); dir <- file.path(reference, if (study) name else file.path("cases", name))
  k <- read(if (study) file.path(counts, paste0(name, "_counts.csv.gz")) else file.path(dir, "counts.csv.gz"))
  X <- read(file.path(dir, "design_matrix.csv.gz")); k <- k[, rownames(X)]; storage.mode(k) <- "integer"
  nf <- file.path(dir, "normalization_factors.csv.gz")
  list(k = k, X = X, nf = if (file.exists(nf)) read(nf), type = if (grepl("poscounts", name)) "poscounts" else "ratio",
       truth = read.csv(file.path(dir, "genes.csv.gz"), row.names = 1))
}
fit <- function(p, order) {
  d <- DESeqDataSetFromMatrix(p$k[, order], data.frame(row.names = colnames(p$k)[order], z = order), ~1)
  if (is.null(p$nf)) d <- estimateSizeFactors(d, type = p$type) else normalizationFactors(d) <- p$nf[, order]
  as.data.frame(mcols(estimateDispersions(d, modelMatrix = p$X[order, ], quiet = TRUE)))
}
moved <- function(x, y) { r <- abs(x - y) / abs(y); r[is.na(r)] <- 0; r }

names <- c("pasilla", "airway", "study48", "study94", setdiff(list.files(file.path(reference, "cases")), "weights_10"))
found <- list(DESeq2 = as.character(packageVersion("DESeq2")))
for (name in names) {
  p <- problem(name); n <- ncol(p$k); base <- fit(p, seq_len(n)); times <- if (nrow(p$k) > 1000) 8 else 20
  same <- base$baseMean == p$truth$baseMean   # replaced counts are another matter
  stopifnot(identical(base$dispersion[same], p$truth$dispersion[same]))
  gene <- map <- trend <- 0; set.seed(1)
  for (i in seq_len(times)) {
    m <- fit(p, if (i == 1) rev(seq_len(n)) else sample(n))
    low <- m$dispGeneEst <= 1e-6 & base$dispGeneEst <= 1e-6
    gene <- pmax(gene, ifelse(low, 0, moved(m$dispGeneEst, base$dispGeneEst)), na.rm = TRUE)
    map <- pmax(map, moved(m$dispMAP, base$dispMAP)); trend <- max(trend, moved(m$dispFit, base$dispFit))
  }
  keep <- which(gene > 1e-10 | map > 1e-10)
  if (trend > 1e-8) keep <- which(gene > 1e-10)   # everything follows the trend
  found[[name]] <- list(orders = times, trend = trend, genes = setNames(Map(c, signif(gene[keep], 3), signif(map[keep], 3)), rownames(p$k)[keep]))
  cat(name, times, "orders, trend", trend, "genes", length(keep), "max", max(gene), max(map), "\n")
}
writeLines(jsonlite::toJSON(found, auto_unbox = TRUE, digits = NA), out)
