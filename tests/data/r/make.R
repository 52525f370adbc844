# Write the files of this folder: R 4.2, SummarizedExperiment 1.28, DESeq2 1.38, Matrix.
suppressMessages({library(SummarizedExperiment); library(DESeq2); library(Matrix)})
genes <- c("ENSG00000000003", "ENSG00000000005", "ENSG00000000419", "ENSG00000000457")
counts <- matrix(as.integer(c(723, 0, 467, 347, 486, 3, 523, 258, 904, 1, 616, 364, 445, 0, 371, 237)), 4,
  dimnames = list(genes, paste0("S", 1:4)))
sheet <- DataFrame(dex = factor(c("untrt", "trt", "untrt", "trt"), levels = c("untrt", "trt")), age = c(31.5, 40, 28, 55),
  row.names = colnames(counts))
rows <- DataFrame(symbol = c("TSPAN6", "TNMD", "DPM1", "SCYL3"), row.names = genes)
save <- function(object, name) saveRDS(object, paste0(name, ".rds"), compress = "gzip")
save(counts, "matrix")
save(SummarizedExperiment(list(counts = counts, tpm = counts / 2), colData = sheet, rowData = rows), "se")
ranges <- GRanges("1", IRanges(1:4, width = 10), symbol = rows$symbol)
names(ranges) <- genes
ranged <- SummarizedExperiment(list(counts = counts), colData = sheet, rowRanges = ranges)
save(ranged, "ranged")
save(DESeqDataSet(ranged, ~dex), "dds")
save(SummarizedExperiment(list(counts = Matrix(counts, sparse = TRUE)), colData = sheet), "sparse")
save(list(1, "a"), "list")
