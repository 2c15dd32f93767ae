"""Where the weights of an encoder lie on this machine. Looks only; needs no torch."""

from __future__ import annotations

import os
import re
from pathlib import Path

from nst_graph.errors import UserError
from nst_graph.style.architecture import VGG16, VGG19, Architecture

SHIPPED = Path(__file__).parent / "weights"
OWN = ("compact", "compact-hq")
SUFFIXES = (".safetensors", ".pth")

TORCHVISION: dict[str, tuple[Architecture, str, str]] = {
    "vgg19": (VGG19, "VGG19_Weights", "vgg19-dcbb9e9d.pth"),
    "vgg16": (VGG16, "VGG16_Weights", "vgg16-397923af.pth"),
}
"""Name: architecture, torchvision's enum (member IMAGENET1K_V1) and the name of its file, which
ends in the first eight digits of the file's sha256."""


def hub_file(name: str) -> Path:
    """Where torch hub keeps torchvision's weights for ``name``, there or not."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))
    return Path(os.path.expanduser(home), "hub", "checkpoints", TORCHVISION[name][2])


def features_file(name: str, models: Path) -> Path:
    """Where our features-only conversion of torchvision's weights lies, there or not."""
    return models / f"{name}-features.safetensors"


def find(name: str, models: Path) -> Path | None:
    """The file to load for encoder ``name``; None if none of the possible ones is there.

    Raises:
        UserError: ``name`` is neither a known encoder nor the name of a weight file.
    """
    if name in OWN:
        return _if_file(SHIPPED / f"{name}.safetensors")
    if name in TORCHVISION:
        return _if_file(features_file(name, models)) or _if_file(hub_file(name))
    stem, suffix = os.path.splitext(name)
    if suffix not in SUFFIXES or not stem.strip(" .") or re.search(r"[\\/:\0]", name):
        raise UserError(
            f"no encoder is called {name[:80]!r}; there are compact, vgg19, vgg16 and the names "
            "of .safetensors and .pth files in the models folder"
        )
    return _if_file(models / name)


def missing(name: str, models: Path) -> UserError:
    """What to tell the user when :func:`find` found nothing."""
    if name in OWN:
        return UserError(f"this installation has no {name}.safetensors; install nst-graph again")
    if name in TORCHVISION:
        _, enum, file = TORCHVISION[name]
        return UserError(
            f"the weights of {name} are not on this machine: looked for "
            f"{features_file(name, models)} and {hub_file(name)}. With a network, "
            f"`nst encoders fetch {name}` gets them; without one, put {file} (its address is "
            f"torchvision.models.{enum}.IMAGENET1K_V1.url) there. "
            "`--set <node>.encoder=compact` works now"
        )
    return UserError(
        f"there is no file {name[:80]!r} in the models folder {models}; put it there, or choose "
        "another encoder (`nst encoders list`; `--set <node>.encoder=compact` works now)"
    )


def _if_file(path: Path) -> Path | None:
    try:
        return path if path.is_file() else None
    except (OSError, ValueError):  # a name too long for the system
        return None
