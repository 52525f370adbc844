"""Mixed models of counts with any random terms, one gene after the other."""
