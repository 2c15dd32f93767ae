"""Loaded by ComfyUI when this checkout lies in its ``custom_nodes`` folder.

``nst_graph`` is imported from this checkout without an install and without touching ``sys.path``:
other packs have folders called ``tests`` or ``tui``, and ComfyUI has a module called ``nodes``.
"""

import importlib.util
import logging
import sys
from pathlib import Path


def _load_nst_graph() -> None:
    package = Path(__file__).parent / "nst_graph"
    loaded = sys.modules.get("nst_graph")
    if loaded is not None:
        if Path(str(loaded.__file__)).parent.resolve() != package.resolve():
            logging.warning(
                "nst-graph: another copy is already loaded from %s and is used instead of %s",
                loaded.__file__,
                package,
            )
        return
    spec = importlib.util.spec_from_file_location(
        "nst_graph", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"no nst_graph package in {package}")
    module = importlib.util.module_from_spec(spec)
    sys.modules["nst_graph"] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules["nst_graph"]
        raise


# pytest and other tools import this file too; only a ComfyUI server has both of these modules.
if "folder_paths" in sys.modules and "execution" in sys.modules:
    _load_nst_graph()
    from nst_graph import nodes as _pack
    from nst_graph.comfy_nodes import adapted

    NODE_CLASS_MAPPINGS = adapted(_pack.NODE_CLASS_MAPPINGS)
    NODE_DISPLAY_NAME_MAPPINGS = _pack.NODE_DISPLAY_NAME_MAPPINGS
    WEB_DIRECTORY = "./web"
    __all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]
