"""Mixed models of every gene: linear models of log counts, and models of the counts themselves."""
