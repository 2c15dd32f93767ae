"""The recipes of the three original notebooks, to the letter and improved."""
