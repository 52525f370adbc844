"""Structure that genes share and no test of one gene can see: the scale of the null, hidden factors."""
