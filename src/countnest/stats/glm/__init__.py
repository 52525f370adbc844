"""The negative binomial generalized linear model of every gene."""
