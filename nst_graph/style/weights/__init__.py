"""The weights of our own encoder, with their model card."""
