# Time mixed models of genes: Rscript mixed_speed.R FOLDER, which has values.csv and counts.csv (a row for each gene),
# offset.csv (natural log), model.csv (model matrix) and family.csv. Writes times.csv: task, CPU seconds; estimates.csv:
# gene, coefficient, and estimates of lmer (log2), and of glmmTMB by likelihood and restricted likelihood (natural log);
# versions.txt. A first gene, in which code is loaded, is not timed.
a <- commandArgs(TRUE)
suppressMessages({
  library(lmerTest)
  library(pbkrtest)
  library(glmmTMB)
})
read <- function(name) as.matrix(read.csv(file.path(a[1], name), check.names = FALSE))
X <- read("model.csv")
family <- factor(read.csv(file.path(a[1], "family.csv"))[[1]])
offset <- read("offset.csv")[, 1]
values <- read("values.csv")
counts <- read("counts.csv")

linear <- function(gene, ddf) {
  y <- values[gene, ]
  fit <- lmer(y ~ 0 + X + (1 | family), control = lmerControl(check.conv.singular = "ignore"))
  coef(summary(fit, ddf = ddf))[, 1]
}
mixed <- function(gene, reml) {
  y <- counts[gene, ]
  fit <- glmmTMB(y ~ 0 + X + offset(offset) + (1 | family), family = nbinom2, REML = reml)
  coef(summary(fit))$cond[, 1]
}
tasks <- list(
  lmer_kr = function(gene) linear(gene, "Kenward-Roger"),
  glmmtmb_ml = function(gene) mixed(gene, FALSE),
  glmmtmb_reml = function(gene) mixed(gene, TRUE)
)
found <- list()
times <- sapply(names(tasks), function(name) {
  quietly <- function(gene) suppressWarnings(suppressMessages(tasks[[name]](gene)))
  quietly(1)
  taken <- system.time(estimates <- sapply(seq_len(nrow(values)), quietly))
  found[[name]] <<- as.vector(estimates)
  taken[["user.self"]] + taken[["sys.self"]]
})
write.csv(data.frame(task = names(times), seconds = times), file.path(a[1], "times.csv"), row.names = FALSE)
grid <- expand.grid(coefficient = seq_len(ncol(X)), gene = seq_len(nrow(values)))
write.csv(cbind(grid, found), file.path(a[1], "estimates.csv"), row.names = FALSE)
packages <- c("lmerTest", "pbkrtest", "glmmTMB")
versions <- c(sapply(packages, function(name) paste(name, packageVersion(name))), paste("R", getRversion()))
writeLines(paste(versions, collapse = ", "), file.path(a[1], "versions.txt"))
