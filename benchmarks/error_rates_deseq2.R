# Test simulated studies with DESeq2: Rscript error_rates_deseq2.R FOLDER DESIGN REDUCED CONTRAST THRESHOLD LEVELS
# Each folder in FOLDER has counts.csv and samples.csv, in which the first level of each factor is its reference.
# CONTRAST is a coefficient, or two with a comma between, the second subtracted; LEVELS are false discovery rates, with
# commas. Writes answers.csv beside: p-values, and adjusted p-values at each level, of the Wald and the likelihood ratio
# test, and of Wald tests against THRESHOLD unless it is 0. Prints the version of DESeq2.
a <- commandArgs(TRUE)
suppressMessages(library(DESeq2))
contrast <- as.list(strsplit(a[4], ",")[[1]])
threshold <- as.numeric(a[5])
levels <- strsplit(a[6], ",")[[1]]
# The former threshold test: since 1.44 it has a name of its own.
former <- if (packageVersion("DESeq2") < "1.44") "greaterAbs" else "greaterAbs2014"

table_of <- function(name, ask) {
  found <- lapply(as.numeric(levels), ask)
  columns <- c(list(found[[1]]$pvalue), lapply(found, function(each) each$padj))
  setNames(as.data.frame(columns), paste0(name, "|", c("pvalue", levels)))
}
for (folder in list.dirs(a[1], recursive = FALSE)) {
  counts <- as.matrix(read.csv(file.path(folder, "counts.csv"), row.names = 1, check.names = FALSE))
  samples <- read.csv(file.path(folder, "samples.csv"), row.names = 1, colClasses = "character", na.strings = "")
  samples[] <- lapply(samples, function(values) factor(values, levels = unique(values)))
  dds <- suppressMessages(DESeqDataSetFromMatrix(counts, samples, as.formula(a[2])))
  wald <- suppressMessages(DESeq(dds, quiet = TRUE))
  lrt <- suppressMessages(DESeq(dds, test = "LRT", reduced = as.formula(a[3]), quiet = TRUE))
  answers <- cbind(
    table_of("Wald", function(alpha) results(wald, contrast = contrast, alpha = alpha)),
    table_of("LRT", function(alpha) results(lrt, alpha = alpha))
  )
  if (threshold > 0) {
    beyond <- function(alpha) {
      results(wald, contrast = contrast, alpha = alpha, lfcThreshold = threshold, altHypothesis = former)
    }
    answers <- cbind(answers, table_of("threshold", beyond))
  }
  rownames(answers) <- rownames(counts)
  write.csv(answers, file.path(folder, "answers.csv"), quote = FALSE)
}
cat("DESeq2", as.character(packageVersion("DESeq2")), R.version.string, "\n")
