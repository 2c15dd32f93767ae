"""The graph editor: a pure model, pure drawing, and the widgets that show them."""
