"""Transformations of counts to a log2-like scale, for distances, clustering and figures; not for tests."""
