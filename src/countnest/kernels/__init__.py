"""Compiled kernels: plain arrays in, plain arrays out; nothing here knows of pandas, formulas or files.

A file has functions of up to three sizes: point (one value), row (one gene) and chunk (many genes).
"""
