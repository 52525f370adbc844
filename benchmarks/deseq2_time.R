# Time DESeq2 on one shipped study: Rscript deseq2_time.R DATA STUDY DESIGN FACTOR REFERENCE REPEATS
# Prints the seconds of each repeat of DESeq() and results(), construction excluded, on one core.
a <- commandArgs(TRUE)
suppressMessages(library(DESeq2))
counts <- as.matrix(read.csv(file.path(a[1], paste0(a[2], "_counts.csv.gz")), row.names = 1, check.names = FALSE))
storage.mode(counts) <- "integer"
samples <- read.csv(file.path(a[1], paste0(a[2], "_samples.csv")), row.names = 1, stringsAsFactors = TRUE)
samples[[a[4]]] <- relevel(factor(samples[[a[4]]]), a[5])
for (i in seq_len(as.integer(a[6]))) {
  dds <- suppressMessages(DESeqDataSetFromMatrix(counts[, rownames(samples)], samples, as.formula(a[3])))
  seconds <- system.time({
    dds <- suppressMessages(DESeq(dds, quiet = TRUE))
    res <- results(dds)
  })[["elapsed"]]
  cat(sprintf("%.4f\n", seconds))
}
cat("DESeq2", as.character(packageVersion("DESeq2")), R.version.string, "\n")
