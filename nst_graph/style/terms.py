"""What can be said of the terms of a loss before they are bound to a size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nst_graph.errors import NodeError, UserError
from nst_graph.style.encoder import Encoder
from nst_graph.values import ContentTerm, EncoderChoice, PixelTerm, StyleTerm, Term


def smallest_side(terms: Sequence[Term], load: Callable[[EncoderChoice], Encoder]) -> int:
    """The smallest side in pixels at which every term can be evaluated.

    Raises:
        NodeError: an encoder cannot be loaded, or lacks a layer.
    """
    side = 1
    try:
        for term in terms:
            if isinstance(term, PixelTerm):
                continue
            if isinstance(term, ContentTerm):
                choices, layers = [term.features.encoder], term.layers
            else:
                choices = [source.features.encoder for source in term.target.sources]
                layers = term.target.layers
            for choice in choices:
                encoder = load(choice)
                names = [encoder.canonical(layer)[0] for layer in layers]
                side = max(side, encoder.min_side(names))
    except NodeError:
        raise
    except UserError as error:
        raise NodeError(str(error)) from error
    return side


def term_names(terms: Sequence[Term]) -> list[str]:
    """Names for terms whose nodes are unknown, numbered where they repeat."""
    found = []
    for term in terms:
        if isinstance(term, ContentTerm):
            found.append("content")
        else:
            found.append("style" if isinstance(term, StyleTerm) else term.name)
    return [
        name if found.count(name) == 1 else f"{name} {found[: i + 1].count(name)}"
        for i, name in enumerate(found)
    ]
