"""The node reference, generated from the declarations: help pages, one table, ``node_list.json``.

``python -m nst_graph.reference`` rewrites the generated files of a checkout; a test compares.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from nst_graph import files, host
from nst_graph.folders import Folders
from nst_graph.registry import Input, NodeType, node_types

START, END = "<!-- nodes: generated -->", "<!-- end of nodes -->"


def node_page(node: NodeType) -> str:
    """One node in Markdown, as ComfyUI's help panel shows it."""
    lines = [f"# {node.display_name}", "", f"`{node.id}`: {node.description.strip()}", ""]
    if node.inputs:
        lines += ["| input | type | default | |", "|---|---|---|---|"]
        lines += _rows(list(node.inputs.values()))
        lines.append("")
    if node.outputs:
        lines += ["| output | type | |", "|---|---|---|"]
        lines += [f"| `{o.name}` | {o.type} | {_cell(o.tooltip)} |" for o in node.outputs]
        lines.append("")
    return "\n".join(lines)


def node_table(types: Mapping[str, NodeType]) -> str:
    """All nodes in one Markdown table, by category."""
    lines = ["| node | gives | what it does |", "|---|---|---|"]
    for node in sorted(types.values(), key=lambda n: (n.category, n.id)):
        gives = ", ".join(dict.fromkeys(output.type for output in node.outputs)) or "files"
        lines.append(f"| `{node.id}` | {gives} | {_cell(first_sentence(node.description))} |")
    return "\n".join(lines)


def exported(types: Mapping[str, NodeType]) -> dict[str, NodeType]:
    """The nodes that ComfyUI gets: ours, without the twins of its own."""
    from nst_graph.nodes import NODE_CLASS_MAPPINGS

    return {name: node for name, node in types.items() if name in NODE_CLASS_MAPPINGS}


def generated(root: Path) -> dict[Path, str]:
    """Every generated file of the checkout at ``root`` and what it should hold."""
    with host.use(host.PlainHost(Folders((), root, root, root))):
        types = node_types()
    own = {name: node for name, node in types.items() if node.module.startswith("nst_graph.nodes.")}
    pages = {
        root / "web" / "docs" / f"{name}.md": node_page(n) for name, n in exported(types).items()
    }
    listed = {name: first_sentence(node.description) for name, node in exported(types).items()}
    readme = root / "README.md"
    reference = "\n".join(
        [
            "# Node reference",
            "",
            "Generated from the declarations of the nodes; `nst nodes NODE` prints the same.",
            "",
            *(node_page(node).replace("# ", "## ", 1) for node in own.values()),
        ]
    )
    return {
        **pages,
        root / "node_list.json": json.dumps(listed, indent=2) + "\n",
        root / "docs" / "nodes.md": reference,
        readme: _between(readme.read_text(encoding="utf-8"), node_table(own)),
    }


def _rows(items: Sequence[Input]) -> list[str]:
    """A row each; numbered inputs that differ in nothing else (loss_2, loss_3 …) share one."""
    rows: list[str] = []
    for item in items:
        previous = _row(item)
        if rows and item.name[-1:].isdigit() and rows[-1].endswith(previous):
            first = rows[-1].split("`")[1]
            rows[-1] = f"| `{first}` … `{item.name}`{previous}"
        else:
            rows.append(f"| `{item.name}`{previous}")
    return rows


def _row(item: Input) -> str:
    """All of the row but the input's name."""
    kind = item.type
    if item.choices is not None and not item.options.get("image_upload"):
        shown = [f"`{choice}`" for choice in item.choices[:12]]
        kind = ", ".join(shown) + (" …" if len(item.choices) > 12 else "")
    elif item.options.get("image_upload"):
        kind = "picture"
    elif item.type in ("INT", "FLOAT") and {"min", "max"} <= item.options.keys():
        low, high = (_number(item.options[end]) for end in ("min", "max"))
        kind = f"{item.type}, {low} to {high}"
    if not item.is_widget or item.options.get("image_upload"):
        default = "" if item.required else "(optional)"
    else:
        default = f"`{item.default}`" if item.default != "" else "(empty)"
    tip = str(item.options.get("tooltip", ""))
    return f" | {_cell(kind)} | {default} | {_cell(tip)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def first_sentence(text: str) -> str:
    """Up to the first full stop before a capital, and without the source in parentheses."""
    first = re.split(r"(?<=\.)\s+(?=[A-Z])|\n\n", text.strip())[0]
    return re.sub(r"\s*\([^()]*\d{4}[^()]*\)", "", first).rstrip(".") + "."


def _between(text: str, table: str) -> str:
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{table}\n{END}{after}"


def stale(root: Path) -> list[Path]:
    """Help pages of nodes that are no more."""
    return sorted(set((root / "web" / "docs").glob("*.md")) - generated(root).keys())


def main() -> None:
    root = Path(__file__).resolve().parent.parent
    for path, text in generated(root).items():
        files.write(path, text.encode())
    for path in stale(root):
        files.remove(path)


if __name__ == "__main__":
    main()
