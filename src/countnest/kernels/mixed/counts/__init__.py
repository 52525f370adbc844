"""Mixed models of counts with one random coefficient for each group."""
