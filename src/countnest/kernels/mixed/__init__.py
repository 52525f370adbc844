"""Linear mixed models of many genes, one after the other."""
