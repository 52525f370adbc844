"""Statistics on arrays: no tables, no labels, no formulas."""
