"""limma's method for counts, on arrays: voom, linear models, moderated statistics."""
