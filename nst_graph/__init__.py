"""Neural style transfer as a graph of nodes."""

from pathlib import Path

__version__ = "0.1.0"

# An installed package holds nodes/, tui/ and graphs/; a checkout has them beside this folder.
_root = Path(__file__).resolve().parent.parent
if (
    not (Path(__file__).parent / "nodes").is_dir()
    and (_root / "pyproject.toml").is_file()
    and (_root / "nodes" / "__init__.py").is_file()
    and str(_root) not in __path__
):
    __path__.append(str(_root))
