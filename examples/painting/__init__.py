"""Scenes and paintings that the project ships as samples, made by numpy and Pillow alone."""
