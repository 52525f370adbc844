"""edgeR's method on arrays."""
