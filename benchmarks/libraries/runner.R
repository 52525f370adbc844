# Run one R library on one problem: Rscript runner.R LIBRARY PROBLEM_FOLDER OUT_FOLDER THREADS, beside LIBRARY.R.
# Writes OUT_FOLDER/answers.csv and timing.json. Exit code 3: not installed.
a <- commandArgs(TRUE)
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE)))
source(file.path(here, paste0(a[1], ".R")))
for (package in packages) {
  if (!requireNamespace(package, quietly = TRUE)) {
    message(package, " is not installed")
    quit(status = 3)
  }
}
invisible(lapply(packages, function(each) suppressMessages(library(each, character.only = TRUE))))

# counts.npy: ten bytes, the last two of them the length of a header, then integers by column
read_counts <- function(path, n) {
  file <- file(path, "rb")
  on.exit(close(file))
  readBin(file, "raw", 8)
  header <- readBin(file, "integer", 1, size = 2, signed = FALSE, endian = "little")
  readBin(file, "raw", header)
  counts <- readBin(file, "integer", file.size(path) %/% 4, size = 4, endian = "little")
  matrix(counts, ncol = n, dimnames = list(paste0("g", seq_len(length(counts) / n)), NULL))
}
peak_memory <- function() {
  line <- grep("^VmHWM", readLines("/proc/self/status"), value = TRUE)
  as.numeric(gsub("[^0-9]", "", line)) / 1024
}
memory <- function() if (file.exists("/proc/self/status")) sprintf("%.1f", peak_memory()) else "null"

samples <- read.csv(file.path(a[2], "samples.csv"), row.names = 1, colClasses = "character")
X <- as.matrix(read.csv(file.path(a[2], "matrix.csv"), row.names = 1, check.names = FALSE))
counts <- read_counts(file.path(a[2], "counts.npy"), nrow(X))
colnames(counts) <- rownames(samples) <- rownames(X)

quietly <- function(counts) suppressWarnings(suppressMessages(analyse(counts, samples, X)))

# a run on some of the genes first, in which code is loaded and compiled; it is not timed
positive <- which(rowSums(counts) > 0)
invisible(quietly(counts[positive[seq(1, length(positive), length.out = min(1000, length(positive)))], ]))
before <- memory()
taken <- system.time(answers <- quietly(counts))
after <- memory()
about <- sprintf(
  '{"seconds": %.5f, "cpu_seconds": %.5f, "memory_mb": %s, "memory_before_mb": %s, "version": "%s %s, R %s"}',
  taken[["elapsed"]], taken[["user.self"]] + taken[["sys.self"]], after, before, packages[1],
  as.character(packageVersion(packages[1])), getRversion()
)
answers[] <- lapply(answers, function(values) sprintf("%.12g", values))
answers[] <- lapply(answers, function(values) sub("NaN|NA", "", values))
write.csv(answers, file.path(a[3], "answers.csv"), row.names = FALSE, quote = FALSE)
writeLines(about, file.path(a[3], "timing.json"))
