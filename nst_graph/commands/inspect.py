"""``nst check``, ``nst nodes`` and ``nst convert``: graphs and nodes, without running anything."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from nst_graph import files, host, runs
from nst_graph.document import Document, find_graph, read, to_workflow, write
from nst_graph.errors import GraphError, UserError
from nst_graph.graph import error_report
from nst_graph.prepare import input_roots, make_folders, prepare
from nst_graph.reference import first_sentence
from nst_graph.registry import NodeType, node_types, object_info
from nst_graph.text import clean


def check(arguments: argparse.Namespace) -> int:
    """Say everything that is wrong with a graph; 0 if it can run."""
    options = runs.Options(inputs=tuple(arguments.input_dir))
    try:
        item = prepare(arguments.graph, arguments.set, options)
    except GraphError as error:
        if arguments.json:
            print(json.dumps(error_report(error.problems), indent=2))
        else:
            for problem in error.problems:
                print(clean(f"{problem.severity}: {problem}"), file=sys.stderr)
        return 2
    for note in item.document.notes:
        print(clean(f"note: {note}"), file=sys.stderr)
    if arguments.json:
        print(json.dumps(error_report(item.checked.warnings), indent=2))
        return 0
    for warning in item.checked.warnings:
        print(clean(f"warning: {warning}"), file=sys.stderr)
    count = item.checked.graph.number_of_nodes()
    print(clean(f"{item.name}: {count} nodes, ready to run", one_line=True))
    return 0


def nodes(arguments: argparse.Namespace) -> int:
    """The node reference: a list, one node, or all as ComfyUI's object_info."""
    with host.use(host.PlainHost(make_folders([Path.cwd()], runs.Options()))):
        types = node_types()
        if arguments.id is not None:
            types = {arguments.id: _one(types, arguments.id)}
        if arguments.json:
            print(json.dumps({name: object_info(node) for name, node in types.items()}, indent=2))
        elif arguments.id is not None:
            _describe(types[arguments.id])
        else:
            width = max(map(len, types))
            for name, node in types.items():
                print(clean(f"{name:<{width}}  {first_sentence(node.description)}"))
    return 0


def _one(types: dict[str, NodeType], name: str) -> NodeType:
    import difflib

    if name in types:
        return types[name]
    near = difflib.get_close_matches(name, types, n=3, cutoff=0.4)
    hint = f"; did you mean {' or '.join(near)}?" if near else "; nst nodes lists them"
    raise UserError(f"no node {name!r}{hint}")


def _describe(node: NodeType) -> None:
    print(clean(f"{node.id}  ({node.category})"))
    print(clean(f"  {node.description.strip()}"))
    print("inputs:")
    for item in node.inputs.values():
        facts = [item.type.lower() if item.is_widget else item.type]
        if item.is_widget:
            facts.append(f"default {item.default!r}" if item.default != "" else 'default ""')
        limits = [item.options.get("min"), item.options.get("max")]
        if item.type in ("INT", "FLOAT") and None not in limits:
            facts.append(f"{limits[0]:g} to {limits[1]:g}")
        if item.choices and len(item.choices) <= 12:
            facts.append(f"one of {', '.join(map(str, item.choices))}")
        if not item.required:
            facts.append("optional")
        print(clean(f"  {item.name}: {'; '.join(facts)}"))
        if tip := item.options.get("tooltip"):
            print(clean(f"      {tip}"))
    print("outputs:")
    for output in node.outputs:
        print(clean(f"  {output.name}: {output.type}  {output.tooltip}".rstrip()))


def convert(arguments: argparse.Namespace) -> int:
    """Write a graph in another format: .workflow.json or --to workflow is ComfyUI's UI format."""
    source = find_graph(arguments.source)
    folders = make_folders(input_roots(source, runs.Options()), runs.Options())
    with host.use(host.PlainHost(folders)):
        types = node_types()
        document = read(source, types)
        for note in document.notes:
            print(clean(f"note: {note}"), file=sys.stderr)
        kind = arguments.to or ("workflow" if document.origin in ("api", "post") else "api")
        text = _render(document, kind, types)
    if arguments.target == "-":
        print(text, end="")
        return 0
    target = Path(arguments.target)
    if target.exists() and not arguments.force:
        raise UserError(f"{target} exists; --force replaces it")
    try:
        files.write(target, text.encode())
    except OSError as error:
        raise UserError(f"cannot write {target}: {error.strerror or error}") from error
    return 0


def _render(document: Document, kind: str, types: dict[str, NodeType]) -> str:
    if kind == "api":
        return write(document)
    return json.dumps(to_workflow(document.nodes, types), indent=2) + "\n"
