"""Reading of count tables and sample sheets, and files of saved data sets."""
