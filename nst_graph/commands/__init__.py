"""One module for each group of commands; each function returns the exit code."""
