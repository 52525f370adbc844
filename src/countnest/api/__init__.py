"""The entry points of users: the data set, and functions with DESeq2's names. They handle tables and labels only."""
