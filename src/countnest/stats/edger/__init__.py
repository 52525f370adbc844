"""edgeR's statistics on arrays."""
