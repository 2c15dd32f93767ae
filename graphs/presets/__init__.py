"""Recipes of other programs, and our own."""
