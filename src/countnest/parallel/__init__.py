"""Running a kernel over blocks of genes."""
