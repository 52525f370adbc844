"""Reading count tables and sample sheets, and writing tables."""
