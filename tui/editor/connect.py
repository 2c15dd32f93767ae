"""What an output can be linked to, what can feed an input, and which links can be cut. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .cards import glyph_of
from .chooser import Choice
from .edits import why_not
from .model import (
    Nodes,
    Types,
    as_link,
    class_of,
    compatible,
    consumers,
    inputs_of,
    outputs_of,
    title_of,
)
from .steer import labels

Places = Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Target:
    """An input of a node that exists, or (``node`` is None) of a new node of class ``kind``."""

    node: str | None
    input: str
    kind: str = ""


@dataclass(frozen=True)
class Source:
    """An output of a node that exists, or (``node`` is None) of a new node of class ``kind``."""

    node: str | None
    slot: int
    kind: str = ""


def targets(nodes: Nodes, types: Types, source: str, slot: int, places: Places) -> list[Choice]:
    """Inputs that fit, free ones first and nearest first; then new nodes that accept the type."""
    has = outputs_of(nodes, source, types)[slot][1]
    fitting: list[tuple[tuple[int, int, int], Target, str]] = []
    for node in nodes:
        kind = types.get(class_of(nodes, node))
        if kind is None or node == source:
            continue
        free_seen = False
        for row, (name, spec) in enumerate(kind.inputs.items()):
            feed = as_link(inputs_of(nodes, node).get(name))
            if feed == (source, slot) or not compatible(has, spec.type) or spec.type == "*":
                continue
            if why_not(nodes, source, slot, node, name, types) is not None:
                continue
            if feed is None and not spec.required:
                if free_seen:
                    continue  # loss_3 to loss_8 are as good as loss_2
                free_seen = True
            near = _distance(places, source, node)
            taken = f"replaces {title_of(nodes, feed[0], types)}" if feed else "free"
            fitting.append(((feed is not None, near, row), Target(node, name), taken))
    fitting.sort(key=lambda entry: entry[0])
    new = [
        Target(None, into, kind.id)
        for kind in types.values()
        if (into := _first_fitting(kind.inputs, has)) is not None
    ]
    letters = labels(len(fitting) + len(new))
    glyph, role = glyph_of(has)
    choices = []
    for letter, (_, target, detail) in zip(letters, fitting, strict=False):
        title = f"{title_of(nodes, target.node or '', types)} #{target.node} . {target.input}"
        choices.append(Choice(title, target, detail, glyph, role, letter=letter))
    for letter, target in zip(letters[len(fitting) :], new, strict=True):
        title = f"+ {types[target.kind].display_name} . {target.input}"
        choices.append(Choice(title, target, "new node", glyph, role, letter=letter))
    return choices


def sources(nodes: Nodes, types: Types, target: str, name: str, places: Places) -> list[Choice]:
    """Outputs that can feed an input, nearest first; then new nodes that give the type."""
    kind = types.get(class_of(nodes, target))
    wants = kind.inputs[name].type if kind is not None and name in kind.inputs else "*"
    fitting: list[tuple[int, Source, str]] = []
    for node in nodes:
        for slot, (out, has) in enumerate(outputs_of(nodes, node, types)):
            if compatible(has, wants) and (why_not(nodes, node, slot, target, name, types) is None):
                fitting.append((_distance(places, node, target), Source(node, slot), out))
    fitting.sort(key=lambda entry: entry[0])
    new = [
        Source(None, slot, kind.id)
        for kind in types.values()
        for slot in [next((i for i, o in enumerate(kind.outputs) if compatible(o.type, wants)), -1)]
        if slot >= 0 and wants != "*"
    ]
    letters = labels(len(fitting) + len(new))
    glyph, role = glyph_of(wants)
    choices = []
    for letter, (_, source, out) in zip(letters, fitting, strict=False):
        title = f"{title_of(nodes, source.node or '', types)} #{source.node} . {out.lower()}"
        choices.append(Choice(title, source, "", glyph, role, letter=letter))
    for letter, source in zip(letters[len(fitting) :], new, strict=True):
        choices.append(
            Choice(
                f"+ {types[source.kind].display_name}",
                source,
                "new node",
                glyph,
                role,
                letter=letter,
            )
        )
    return choices


def cuts(nodes: Nodes, types: Types, node: str) -> list[Choice]:
    """The links at a node; the value is (target, input)."""
    found: list[tuple[str, str, str]] = []
    for name, value in inputs_of(nodes, node).items():
        feed = as_link(value)
        if feed is not None:
            origin = title_of(nodes, feed[0], types) if feed[0] in nodes else "nothing"
            found.append((node, name, f"{name} ← {origin} #{feed[0]}"))
    for out in consumers(nodes, node):
        names = outputs_of(nodes, node, types)
        name = names[out.slot][0].lower() if out.slot < len(names) else str(out.slot)
        target = title_of(nodes, out.target, types)
        found.append((out.target, out.input, f"{name} → {target} #{out.target} . {out.input}"))
    return [
        Choice(text, (target, name), letter=letter)
        for letter, (target, name, text) in zip(labels(len(found)), found, strict=True)
    ]


def _first_fitting(inputs: Mapping[str, object], has: str) -> str | None:
    for name, spec in inputs.items():
        socket = getattr(spec, "type", "")
        if not getattr(spec, "is_widget", True) and socket != "*" and compatible(has, socket):
            return name
    return None


def _distance(places: Places, one: str, other: str) -> int:
    if one not in places or other not in places:
        return 0
    (ax, ay), (bx, by) = places[one], places[other]
    backwards = 200 if bx < ax else 0
    return abs(ax - bx) + 2 * abs(ay - by) + backwards
