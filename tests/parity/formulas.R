# Writes data/formulas/model_matrices.json.gz anew: R's model matrix of every formula that the file lists, for samples.csv.
# Usage: Rscript formulas.R   (in this folder; needs jsonlite)
folder <- "data/formulas"
samples <- read.csv(file.path(folder, "samples.csv"), stringsAsFactors = TRUE)
file <- file.path(folder, "model_matrices.json.gz")
formulas <- jsonlite::fromJSON(gzfile(file), simplifyVector = FALSE)
matrices <- lapply(formulas, function(entry) {
  x <- model.matrix(as.formula(entry$formula), samples)
  list(
    formula = jsonlite::unbox(entry$formula),
    columns = colnames(x),
    rank = jsonlite::unbox(qr(x)$rank),
    values_by_column = round(as.vector(x), 6)
  )
})
out <- gzfile(file, "w", compression = 9)
writeLines(jsonlite::toJSON(matrices, digits = 6), out)
close(out)
