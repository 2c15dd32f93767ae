"""``nst comfyui install``: hand the node pack to a ComfyUI that runs in the same environment."""

from __future__ import annotations

import argparse
from pathlib import Path

from nst_graph import files
from nst_graph.errors import UserError
from nst_graph.prepare import samples_folder
from nst_graph.text import clean, shorten

PACK = '''"""Makes the installed nst-graph package known to ComfyUI."""

from nst_graph.nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS"]
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
    try:
        files.write(custom / FOLDER / "__init__.py", PACK.encode())
        print(clean(str(custom / FOLDER)))
        for sample in sorted(samples_folder().glob("nst_*")):
            target = root / "input" / sample.name
            if files.write_new(target, sample.read_bytes()):
                print(clean(str(target)))
    except OSError as error:
        raise UserError(f"cannot write to {shorten(str(root), 200)}: {error.strerror}") from error
    return 0
