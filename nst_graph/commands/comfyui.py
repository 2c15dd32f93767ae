"""``nst comfyui install``: hand the node pack to a ComfyUI that runs in the same environment."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from nst_graph import files, host
from nst_graph.document import read, shipped_graphs, to_workflow
from nst_graph.errors import UserError
from nst_graph.folders import Folders
from nst_graph.prepare import samples_folder
from nst_graph.reference import exported, node_page
from nst_graph.registry import node_types
from nst_graph.text import clean, shorten

PACK = '''"""Makes the installed nst-graph package known to ComfyUI."""

from nst_graph import nodes
from nst_graph.comfy_nodes import adapted

NODE_CLASS_MAPPINGS = adapted(nodes.NODE_CLASS_MAPPINGS)
NODE_DISPLAY_NAME_MAPPINGS = nodes.NODE_DISPLAY_NAME_MAPPINGS
WEB_DIRECTORY = "./web"
__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]
'''
FOLDER = "nst_graph_pack"


def install(arguments: argparse.Namespace) -> int:
    """Write the pack's folder into custom_nodes and the sample pictures into input."""
    root = Path(arguments.folder)
    custom = root / "custom_nodes"
    if not custom.is_dir():
        raise UserError(
            f"{shorten(str(root), 200)} has no custom_nodes folder; name the folder of ComfyUI"
        )
    clone = _clone_in(custom)
    if clone is not None:
        raise UserError(
            f"{shorten(str(clone), 200)} already is the node pack; remove it first, for ComfyUI "
            f"would load every node twice"
        )
    try:
        for name, text in _pack().items():
            files.write(custom / FOLDER / name, text.encode())
        print(clean(str(custom / FOLDER)))
        for sample in sorted(samples_folder().glob("nst_*")):
            target = root / "input" / sample.name
            if files.write_new(target, sample.read_bytes()):
                print(clean(str(target)))
    except OSError as error:
        raise UserError(f"cannot write to {shorten(str(root), 200)}: {error.strerror}") from error
    return 0


def _clone_in(custom: Path) -> Path | None:
    """A checkout of this project among the packs."""
    for folder in sorted(custom.iterdir()):
        if (folder / "nst_graph" / "comfy_nodes.py").is_file():
            return folder
    return None


def _pack() -> dict[str, str]:
    """The files of the pack by name: the entry point, help pages and example workflows."""
    nowhere = Path()
    with host.use(host.PlainHost(Folders((samples_folder(),), nowhere, nowhere, nowhere))):
        types = node_types()
        pages = {f"web/docs/{name}.md": node_page(node) for name, node in exported(types).items()}
        examples = {
            f"example_workflows/{name.replace('/', '-')}.json": json.dumps(
                to_workflow(read(path, types).nodes, types)
            )
            for name, path in shipped_graphs().items()
        }
    return {"__init__.py": PACK, **pages, **examples}
