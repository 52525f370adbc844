"""Running a kernel over chunks of genes."""
