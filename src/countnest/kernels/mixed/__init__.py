"""Mixed models of many genes, one after the other; linear ones here, those of counts in a folder of their own."""
