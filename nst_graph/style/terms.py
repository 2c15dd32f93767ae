"""What can be said of the terms of a loss before they are bound to a size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nst_graph.errors import NodeError, UserError
from nst_graph.style.encoder import Encoder
from nst_graph.style.memory import encoder_bytes
from nst_graph.values import ContentTerm, EncoderChoice, PixelTerm, StyleTerm, Term


def smallest_side(terms: Sequence[Term], load: Callable[[EncoderChoice], Encoder]) -> int:
    """The smallest side in pixels at which every term can be evaluated.

    Raises:
        NodeError: an encoder cannot be loaded, or lacks a layer.
    """
    return max((e.min_side(list(layers)) for e, layers in _passes(terms, load)), default=1)


def bytes_per_pixel(terms: Sequence[Term], load: Callable[[EncoderChoice], Encoder]) -> float:
    """An estimate of what one evaluation of all ``terms`` takes; as :func:`smallest_side`."""
    return sum(
        encoder_bytes(e.architecture, e.padding, layers, e.dtype)
        for e, layers in _passes(terms, load)
    )


def _passes(
    terms: Sequence[Term], load: Callable[[EncoderChoice], Encoder]
) -> list[tuple[Encoder, set[str]]]:
    """Each encoder that the terms look through, with all layers that they look at."""
    found: dict[EncoderChoice, tuple[Encoder, set[str]]] = {}
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
                if choice not in found:
                    found[choice] = (load(choice), set())
                encoder, seen = found[choice]
                seen.update(encoder.canonical(layer)[0] for layer in layers)
    except NodeError:
        raise
    except UserError as error:
        raise NodeError(str(error)) from error
    return [(encoder, layers) for encoder, layers in found.values() if layers]


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
