"""The decorator for compiled code with its cache on disk, and vectors as a type of that code."""
