"""What users call: the data set, and the verbs with DESeq2's names. Thin: tables and labels here, numbers below."""
