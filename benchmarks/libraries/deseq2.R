# DESeq2: Love, Huber and Anders (2014), doi:10.1186/s13059-014-0550-8.
packages <- "DESeq2"
analyse <- function(counts, samples, X) {
  dds <- DESeqDataSetFromMatrix(counts, samples, X)
  dds <- DESeq(dds, quiet = TRUE)
  found <- results(dds, name = tail(resultsNames(dds), 1))
  data.frame(log2FoldChange = found$log2FoldChange, pvalue = found$pvalue)
}
