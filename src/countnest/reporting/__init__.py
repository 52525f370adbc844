"""The report of an analysis: one HTML page that needs neither a network nor the package."""
