# Fit genes with lmerTest, pbkrtest and glmmTMB: Rscript agreement.R FOLDER LINEAR COUNTS, numbers of genes.
# FOLDER has values.csv and counts.csv (a row for each gene), offset.csv, model.csv (model matrix), family.csv and
# contrasts.csv (columns: question, coefficients). Writes linear.csv: question, gene, p by Satterthwaite and by Kenward
# and Roger; counts.csv's answers go to mixed.csv: question, gene, estimate and standard error of one row, log-likelihood,
# by likelihood and restricted likelihood. Prints the versions and the CPU seconds.
a <- commandArgs(TRUE)
suppressMessages({
  library(lmerTest)
  library(pbkrtest)
  library(glmmTMB)
})
read <- function(name) as.matrix(read.csv(file.path(a[1], name), header = TRUE, check.names = FALSE))
X <- read("model.csv")
family <- factor(read.csv(file.path(a[1], "family.csv"))[[1]])
offset <- read("offset.csv")[, 1]
rows <- read.csv(file.path(a[1], "contrasts.csv"), check.names = FALSE)
contrasts <- lapply(split(rows[-1], factor(rows[[1]], unique(rows[[1]]))), as.matrix)
cpu <- function() sum(proc.time()[1:2])

linear_of <- function(y) {
  fit <- lmer(y ~ 0 + X + (1 | family), control = lmerControl(check.conv.singular = "ignore"))
  sapply(contrasts, function(L) {
    sapply(c("Satterthwaite", "Kenward-Roger"), function(ddf) contest(fit, L, joint = TRUE, ddf = ddf)[["Pr(>F)"]])
  })
}
mixed_of <- function(y, reml) {
  fit <- suppressWarnings(glmmTMB(y ~ 0 + X + offset(offset) + (1 | family), family = nbinom2, REML = reml))
  beta <- fixef(fit)$cond
  V <- vcov(fit)$cond
  one <- contrasts[sapply(contrasts, nrow) == 1]
  data.frame(
    reml = reml, question = names(one), estimate = sapply(one, function(L) sum(L * beta)),
    se = sapply(one, function(L) sqrt(drop(L %*% V %*% t(L)))), loglik = as.numeric(logLik(fit))
  )
}
before <- cpu()
values <- read("values.csv")
found <- do.call(rbind, lapply(seq_len(as.integer(a[2])), function(gene) {
  p <- suppressMessages(linear_of(values[gene, ]))
  data.frame(gene = gene, question = colnames(p), satterthwaite = p[1, ], kenward_roger = p[2, ])
}))
write.csv(found, file.path(a[1], "linear.csv"), row.names = FALSE)
between <- cpu()
counts <- read("counts.csv")
found <- do.call(rbind, lapply(seq_len(as.integer(a[3])), function(gene) {
  cbind(gene = gene, rbind(mixed_of(counts[gene, ], FALSE), mixed_of(counts[gene, ], TRUE)))
}))
write.csv(found, file.path(a[1], "mixed.csv"), row.names = FALSE)
versions <- sapply(c("lmerTest", "pbkrtest", "glmmTMB"), function(name) paste(name, packageVersion(name)))
cat(versions, sep = ", ")
cat("\n", between - before, " ", cpu() - between, "\n", sep = "")
