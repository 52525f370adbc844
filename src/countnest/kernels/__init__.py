"""Compiled kernels: plain arrays in, plain arrays out; nothing here knows of pandas, formulas or files.

Each file has up to three storeys: point (one value), row (one gene), block (many genes).
"""
