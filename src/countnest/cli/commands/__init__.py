"""The commands of the shell, one in each module; what they do is imported when they run."""
