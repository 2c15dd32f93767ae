"""How the embedded encoder `compact` was made. Needs a checkout; not part of the package.

See training/README.md for the commands.
"""
