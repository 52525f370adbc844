# Test data sets with DESeq2, edgeR's quasi-likelihood and limma voom: Rscript error_rates.R QUEUE LEVELS
# Each line of QUEUE is METHOD and FOLDER, with a tab between. A folder has counts.bin (whole numbers of four bytes, by
# gene), model.csv (model matrix), contrasts.csv (a column for each row of the question), samples.csv (in which the first
# level of each factor is its reference) and question.txt (formula, null hypothesis, coefficients with commas, the second
# subtracted). Writes METHOD.csv there, unless it exists: p-values, and adjusted p-values: one column where LEVELS, false
# discovery rates with commas, do not matter. Prints the versions.
a <- commandArgs(TRUE)
suppressMessages({
  library(DESeq2)
  library(edgeR)
  library(limma)
})
levels <- as.numeric(strsplit(a[2], ",")[[1]])

table_of <- function(name, pvalue, padj) {
  setNames(as.data.frame(c(list(pvalue), padj)), paste0(name, "|", c("pvalue", levels)))
}
# Genes with few counts are left out, as the guides of edgeR and limma have it.
filtered <- function(counts, X) {
  y <- DGEList(counts)
  kept <- filterByExpr(y, design = X)
  list(kept = kept, y = calcNormFactors(y[kept, , keep.lib.sizes = FALSE]))
}
of_all <- function(pvalue, kept) {
  found <- rep(NA_real_, length(kept))
  found[kept] <- pvalue
  padj <- p.adjust(found, "BH")
  table_of("test", found, rep(list(padj), length(levels)))
}
edger <- function(counts, X, L, about) {
  data <- filtered(counts, X)
  fit <- glmQLFit(estimateDisp(data$y, X), X, robust = TRUE)
  of_all(glmQLFTest(fit, contrast = L)$table$PValue, data$kept)
}
voomed <- function(counts, X, L, about) {
  data <- filtered(counts, X)
  fit <- eBayes(contrasts.fit(lmFit(voom(data$y, X), X), L), robust = TRUE)
  of_all(if (ncol(L) > 1) fit$F.p.value else fit$p.value[, 1], data$kept)
}
deseq2 <- function(counts, X, L, about) {
  samples <- about$samples
  samples[] <- lapply(samples, function(values) factor(values, levels = unique(values)))
  dds <- DESeqDataSetFromMatrix(counts, samples, as.formula(about$question[1]))
  answers <- list()
  ask <- function(name, fitted, ...) {
    found <- lapply(levels, function(alpha) results(fitted, alpha = alpha, ...))
    answers[[length(answers) + 1]] <<- table_of(name, found[[1]]$pvalue, lapply(found, function(each) each$padj))
  }
  if (nzchar(about$question[3])) {
    ask("Wald", DESeq(dds, quiet = TRUE), contrast = as.list(strsplit(about$question[3], ",")[[1]]))
  }
  if (nzchar(about$question[2])) {
    ask("LRT", DESeq(dds, test = "LRT", reduced = as.formula(about$question[2]), quiet = TRUE))
  }
  do.call(cbind, answers)
}
methods <- list(DESeq2 = deseq2, edgeR = edger, voom = voomed)

read <- function(folder, name, ...) read.csv(file.path(folder, name), row.names = 1, check.names = FALSE, ...)
analyse <- function(method, folder) {
  X <- as.matrix(read(folder, "model.csv"))
  L <- as.matrix(read(folder, "contrasts.csv"))
  path <- file.path(folder, "counts.bin")
  counts <- readBin(path, "integer", file.size(path) %/% 4, size = 4, endian = "little")
  counts <- matrix(counts, ncol = nrow(X), byrow = TRUE, dimnames = list(NULL, rownames(X)))
  rownames(counts) <- paste0("g", seq_len(nrow(counts)))
  samples <- read(folder, "samples.csv", colClasses = "character", na.strings = "")
  about <- list(samples = samples, question = readLines(file.path(folder, "question.txt")))
  suppressWarnings(suppressMessages(methods[[method]](counts, X, L, about)))
}
for (line in readLines(a[1])) {
  item <- strsplit(line, "\t")[[1]]
  out <- file.path(item[2], paste0(item[1], ".csv"))
  if (!file.exists(out)) {
    answers <- analyse(item[1], item[2])
    write.csv(answers, paste0(out, ".part"), quote = FALSE, row.names = FALSE)
    file.rename(paste0(out, ".part"), out)
  }
}
cat(sapply(names(methods)[1:2], function(name) paste(name, packageVersion(name))), paste("limma", packageVersion("limma")), R.version.string, sep = ", ")
