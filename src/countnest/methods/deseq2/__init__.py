"""DESeq2: negative binomial models, shrunken dispersions, Wald and likelihood ratio tests."""
