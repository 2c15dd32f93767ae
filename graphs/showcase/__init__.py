"""What the nodes can do together."""
