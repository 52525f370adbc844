"""Error rates of mixed models and their alternatives: studies of families, methods, tables."""
