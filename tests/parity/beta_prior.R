# Writes data/beta_prior.csv.gz anew: simulated counts of three groups of seven samples, some of them outliers, and what
# DESeq2 makes of them with normal priors. The columns of a table are named table.column.
# Usage: Rscript beta_prior.R   (in this folder; needs DESeq2 1.38, whose greaterAbs is the greaterAbs2014 of later ones)
suppressMessages(library(DESeq2))
set.seed(2)
n_genes <- 240
condition <- factor(rep(c("A", "B", "C"), each = 7))
age <- round(rnorm(21), 2)
base <- exp(runif(n_genes, 1.5, 7))
change <- matrix(rnorm(3 * n_genes, 0, 0.5), n_genes)
alpha <- (0.03 + 1 / base) * exp(rnorm(n_genes, 0, 0.4))
mu <- base * exp(change)[, as.integer(condition)]
counts <- matrix(rnbinom(length(mu), mu = mu, size = 1 / alpha), n_genes)
for (i in 1:12) counts[i * 18, 1 + (i * 5) %% 21] <- as.integer(25 * base[i * 18])
counts[3, ] <- 0L
counts[4, ] <- 0L
counts[4, 9] <- 300L
counts[5, 8:21] <- 0L
counts[6, 1:7] <- 0L
mode(counts) <- "integer"
dimnames(counts) <- list(paste0("gene", 1:n_genes), paste0("s", 1:21))
samples <- data.frame(condition, age, row.names = colnames(counts))

tables <- list(counts = as.data.frame(counts))
keep <- function(name, x, columns = c("log2FoldChange", "lfcMLE", "lfcSE", "stat", "pvalue", "padj")) {
  tables[[name]] <<- as.data.frame(x)[intersect(columns, names(x))]
}
change <- c("log2FoldChange", "lfcSE")
fit <- function(design, ...) DESeq(DESeqDataSetFromMatrix(counts, samples, design), quiet = TRUE, ...)
CB <- c("condition", "C", "B")
up_down <- list("conditionC", c("conditionA", "conditionB"))
for (type in c("expanded", "standard")) {
  dds <- fit(~condition, betaPrior = TRUE, modelMatrixType = type)
  stopifnot(sum(mcols(dds)$replace, na.rm = TRUE) > 5)
  cat(type, formatC(attr(dds, "betaPriorVar"), digits = 17), "\n")
  keep(type, results(dds))
  keep(paste0(type, "_CB"), results(dds, contrast = CB))
  keep(paste0(type, "_CB_half"), results(dds, contrast = CB, lfcThreshold = 0.5))
  if (type == "expanded") keep("expanded_list", results(dds, contrast = up_down, listValues = c(1, -0.5)))
}
dds <- fit(~ age + condition, betaPrior = TRUE)
keep("number", results(dds, addMLE = TRUE))
keep("number_name", results(dds, name = "age"))
keep("dispersion", data.frame(dispersion = dispersions(dds)), columns = "dispersion")
dds <- fit(~condition)
keep("shrunken_coef", columns = change, lfcShrink(dds, coef = 3, type = "normal", quiet = TRUE))
keep("shrunken_CB", columns = change, lfcShrink(dds, contrast = CB, type = "normal", quiet = TRUE))
keep("shrunken_CB_half", lfcShrink(dds, contrast = CB, type = "normal", quiet = TRUE, lfcThreshold = 0.5))
keep("shrunken_list", columns = change, lfcShrink(dds, contrast = up_down, res = results(dds), type = "normal", quiet = TRUE))

numbers <- do.call(cbind, tables)
numbers[] <- lapply(numbers, function(x) ifelse(is.na(x), NA, formatC(x, digits = 13, width = 1, format = "g")))
out <- gzfile("data/beta_prior.csv.gz", "w", compression = 9)
write.csv(numbers, out, quote = FALSE)
close(out)
