"""What can be added, and what it would be linked to. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from nst_graph.registry import NodeType
from nst_graph.text import shorten

from .cards import glyph_of
from .chooser import Choice
from .edits import link, linkable
from .model import Nodes, Types, as_link, compatible, inputs_of, outputs_of


def additions(types: Types, nodes: Nodes, selected: str | None) -> list[Choice]:
    """Every class, those that the selected node can feed first."""
    has = [kind for _, kind in outputs_of(nodes, selected, types)] if selected else []

    def rank(kind: NodeType) -> tuple[int, str, str]:
        return (0 if accepts(kind, has) else 1, kind.category, kind.display_name)

    return [_choice(kind, accepts(kind, has)) for kind in sorted(types.values(), key=rank)]


def _choice(kind: NodeType, fits: bool) -> Choice:
    first = kind.outputs[0].type if kind.outputs else ""
    glyph, role = glyph_of(first) if first else ("▪", "dim")
    words = " ".join([kind.id, kind.category, *(o.type for o in kind.outputs)])
    takes = [i.type for i in kind.inputs.values() if not i.is_widget]
    gist = kind.description.split(". ")[0]
    return Choice(
        title=kind.display_name,
        value=kind.id,
        detail=("⇥ links  " if fits else "") + shorten(gist or kind.category, 70),
        glyph=glyph,
        role=role,
        more=f"{words} {' '.join(takes)} {shorten(kind.description, 400)}",
    )


def accepts(kind: NodeType, has: Sequence[str]) -> bool:
    """Whether one of the types ``has`` fits one of the class's sockets."""
    sockets = [i.type for i in kind.inputs.values() if not i.is_widget]
    return any(compatible(out, into) for out in has for into in sockets)


def by_type(query: str, types: Types) -> list[Choice] | None:
    """``>LOSS`` lists what gives a loss, ``<LOSS`` what takes one; None for other queries."""
    if not query or query[0] not in "<>":
        return None
    wanted = query[1:].strip().upper()
    found = []
    for kind in types.values():
        sockets = (
            [output.type for output in kind.outputs]
            if query[0] == ">"
            else [i.type for i in kind.inputs.values() if not i.is_widget]
        )
        if any(wanted in socket for socket in sockets):
            found.append(_choice(kind, False))
    return found


def link_new(nodes: Nodes, types: Types, selected: str, new: str) -> Nodes:
    """Link the new node behind the selected one; if that does not fit, in front of it."""
    for source, target in ((selected, new), (new, selected)):
        for slot, name in linkable(nodes, source, types, target):
            if as_link(inputs_of(nodes, target).get(name)) is None:
                return link(nodes, source, slot, target, name)
    return nodes
