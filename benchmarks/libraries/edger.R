# edgeR's quasi-likelihood tests: Chen, Lun and Smyth (2016), doi:10.12688/f1000research.8987.2.
packages <- "edgeR"
analyse <- function(counts, samples, X) {
  kept <- rowSums(counts) > 0
  y <- calcNormFactors(DGEList(counts[kept, ]))
  fit <- glmQLFit(estimateDisp(y, X), X)
  found <- glmQLFTest(fit, coef = ncol(X))$table
  answers <- data.frame(log2FoldChange = rep(NA_real_, nrow(counts)), pvalue = NA_real_)
  answers[kept, ] <- found[, c("logFC", "PValue")]
  answers
}
