# Time limma::duplicateCorrelation on log counts of voom: Rscript duplicate_correlation.R PROBLEM_FOLDER GENES OUT_FOLDER.
# OUT_FOLDER has design.csv and block.csv, and gets timing.json.
suppressMessages(library(limma))
a <- commandArgs(TRUE)
read_counts <- function(path, n) {
  file <- file(path, "rb")
  on.exit(close(file))
  readBin(file, "raw", 8)
  header <- readBin(file, "integer", 1, size = 2, signed = FALSE, endian = "little")
  readBin(file, "raw", header)
  matrix(readBin(file, "integer", file.size(path) %/% 4, size = 4, endian = "little"), ncol = n)
}
X <- as.matrix(read.csv(file.path(a[3], "design.csv"), header = FALSE))
block <- read.csv(file.path(a[3], "block.csv"), header = FALSE)[[1]]
counts <- read_counts(file.path(a[1], "counts.npy"), nrow(X))
counts <- counts[rowMeans(counts) >= 10, ]
v <- voom(counts, X)
v <- v[seq_len(min(as.integer(a[2]), nrow(v))), ]
invisible(duplicateCorrelation(v[seq_len(min(20, nrow(v))), ], X, block = block))
taken <- system.time(found <- duplicateCorrelation(v, X, block = block))
writeLines(
  sprintf(
    '{"cpu_seconds": %.5f, "consensus": %.15g, "version": "limma %s, R %s"}', taken[["user.self"]] + taken[["sys.self"]],
    found$consensus.correlation, as.character(packageVersion("limma")), getRversion()
  ),
  file.path(a[3], "timing.json")
)
