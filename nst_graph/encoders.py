"""The encoders a user can choose from: listing, fetching and naming their weights.

Nothing here needs torch until weights that are not in our own format have to be read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nst_graph import files
from nst_graph.errors import UserError
from nst_graph.host import current
from nst_graph.style.architecture import PADDINGS, POOLINGS, TRANSFORMS, Architecture
from nst_graph.style.recognise import recognise
from nst_graph.style.weights_format import Header, architecture_of, read_header
from nst_graph.style.weights_lookup import (
    OWN,
    SHIPPED,
    SUFFIXES,
    TORCHVISION,
    features_file,
    find,
    hub_file,
    missing,
)
from nst_graph.text import shorten

if TYPE_CHECKING:
    from nst_graph.download import Progress

__all__ = [
    "PADDINGS",
    "POOLINGS",
    "TRANSFORMS",
    "EncoderInfo",
    "architecture",
    "available",
    "fetch",
    "names",
    "ready",
    "weights_id",
]

Warn = Callable[[str], None]


@dataclass(frozen=True)
class EncoderInfo:
    """One encoder. ``where``: its file, or where it would be; ``size`` in bytes.

    ``weights``: the weights id if it is known without reading tensors.
    """

    name: str
    where: str
    size: int | None
    found: bool
    weights: str | None
    note: str


def names(models: Path) -> list[str]:
    """The names a graph may use, ours first, then torchvision's, then the user's files sorted."""
    own = [name for name in OWN if (SHIPPED / f"{name}.safetensors").is_file()]
    return [*own, *TORCHVISION, *_user_files(models)]


def _user_files(models: Path) -> list[str]:
    conversions = {features_file(name, models).name for name in TORCHVISION}
    try:
        with os.scandir(models) as entries:
            return sorted(
                entry.name
                for entry in entries
                if entry.name.endswith(SUFFIXES)
                and not entry.name.startswith(".")
                and entry.name not in conversions
                and entry.is_file()
            )
    except OSError:
        return []


def available(models: Path) -> list[EncoderInfo]:
    """Every encoder of :func:`names`, with what is known of it without torch."""
    return [_info(name, models) for name in names(models)]


def _info(name: str, models: Path) -> EncoderInfo:
    path = find(name, models)
    if path is None:
        place = hub_file(name)
        note = f"`nst encoders fetch {name}` downloads it"
        return EncoderInfo(name, str(place), None, False, None, note)
    weights, note = None, ""
    try:
        if name in TORCHVISION and path == hub_file(name):
            note = "in torch's cache; converted to a smaller file when first used"
        elif path.suffix == ".safetensors":
            header = read_header(path)
            weights, note = _declared_id(header), _remark(name, header, path)
        weights = weights or _remembered(path)
        size = path.stat().st_size
    except UserError as error:
        return EncoderInfo(name, str(path), None, True, None, f"unusable: {error}")
    except OSError as error:
        return EncoderInfo(name, str(path), None, True, None, f"unusable: {error.strerror}")
    return EncoderInfo(name, str(path), size, True, weights, note)


def architecture(name: str, models: Path) -> Architecture | None:
    """What encoder ``name`` is made of, for checking layer names without torch.

    None if that cannot be told yet: the file is absent, or a ``.pth``.

    Raises:
        UserError: no such encoder, or an unusable file.
    """
    if name in TORCHVISION:
        return TORCHVISION[name][0]
    path = find(name, models)
    if path is None or path.suffix != ".safetensors":
        return None
    return _architecture(read_header(path), path)


def _architecture(header: Header, path: Path) -> Architecture:
    if header.is_ours:
        return architecture_of(header, repr(path.name))
    return recognise(header.shapes, path.name, header.metadata.get("input", "")).architecture


def _remark(name: str, header: Header, path: Path) -> str:
    made_of = _architecture(header, path)
    if name.endswith(SUFFIXES):
        widths = "-".join(map(str, made_of.widths))
        return f"{sum(made_of.convs)} convolutions, {widths} channels"
    source = header.metadata.get("source_sha256", "")
    if name in TORCHVISION and source and not source.startswith(_known_digest(name)):
        return f"from a file with sha256 {source[:12]}…, which is not torchvision's"
    return ""


def weights_id(name: str, models: Path) -> str:
    """The digest of the canonical tensors of encoder ``name``; cheap after the first time.

    Torchvision's weights in torch's cache are converted to a features-only file on the way.

    Raises:
        UserError: no such encoder, its weights are not on this machine, or they are unusable.
    """
    path = find(name, models)
    if path is None:
        raise missing(name, models)
    if path.suffix == ".safetensors":
        declared = _declared_id(read_header(path))
        if declared:
            return declared
    remembered = _remembered(path)
    if remembered:
        return remembered
    if name in TORCHVISION and path == hub_file(name):
        return _convert(name, models, current().note)[1]
    from nst_graph.style.weights_files import read

    found = read(path).id
    _remember(path, found)
    return found


def fetch(
    name: str,
    models: Path,
    progress: Progress | None = None,
    offline: bool = False,
    warn: Warn | None = None,
) -> Path:
    """The file of encoder ``name``, downloaded and converted first if need be.

    Only ``vgg19`` and ``vgg16`` can be downloaded: torchvision's IMAGENET1K_V1 weights, into
    torch hub's cache as torchvision itself does, checked against their sha256; then their
    convolutions are kept as float32 in the models folder (80 MB instead of 548). A file that is
    in the cache already is used whatever its digest; ``warn`` (else a note) hears of a strange
    one. ``offline``, or the environment variable ``NST_OFFLINE``, forbids the network.

    Raises:
        UserError: it is absent and cannot be had; says where it was looked for.
    """
    path = find(name, models)
    if path is None:
        if name not in TORCHVISION or offline or os.environ.get("NST_OFFLINE", "") not in ("", "0"):
            raise missing(name, models)
        from nst_graph.download import download

        try:
            download(_address(name), hub_file(name), _known_digest(name), progress)
        except UserError as error:
            raise UserError(f"{error}; {missing(name, models)}") from error
        path = hub_file(name)
    if name in TORCHVISION and path == hub_file(name):
        return _convert(name, models, warn or current().note)[0]
    return path


def ready(name: str, models: Path, progress: Progress | None = None, offline: bool = False) -> str:
    """:func:`fetch` encoder ``name`` if need be; its weights id.

    Raises:
        UserError: as :func:`fetch` and :func:`weights_id`.
    """
    fetch(name, models, progress, offline)
    return weights_id(name, models)


def _convert(name: str, models: Path, warn: Warn) -> tuple[Path, str]:
    """Keep the convolutions of torchvision's file; the file to load from now on, and its id."""
    from nst_graph.style.weights_files import pack, read

    source, target = hub_file(name), features_file(name, models)
    wanted, enum, _ = TORCHVISION[name]
    weights = read(source)
    if weights.architecture != wanted:
        raise UserError(f"{source} does not hold torchvision's {name}; remove or rename it")
    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if not digest.startswith(_known_digest(name)):
        warn(
            f"{source} has the shapes of torchvision's {name} but another sha256 "
            f"({digest[:12]}…); it is used as it is"
        )
    import torch

    metadata = {
        "source": f"torchvision {enum}.IMAGENET1K_V1, convolutions only",
        "source_sha256": digest,
    }
    data = pack(wanted, weights.tensors, torch.float32, metadata)
    try:
        files.write(target, data)
    except OSError as error:
        warn(f"cannot keep {target}: {error.strerror}; {source} is read each time instead")
        return source, weights.id
    return target, weights.id


def _known_digest(name: str) -> str:
    """The first eight digits of the sha256 of torchvision's file, which are in its name."""
    return Path(TORCHVISION[name][2]).stem.rpartition("-")[2]


def _address(name: str) -> str:
    try:
        import torchvision.models as offered
    except Exception as error:  # a torchvision that does not fit torch fails in many ways
        raise UserError(
            f"torchvision, which knows the address of {name}, cannot be imported "
            f"({type(error).__name__}: {shorten(str(error), 200)})"
        ) from error
    return str(getattr(offered, TORCHVISION[name][1]).IMAGENET1K_V1.url)


def _declared_id(header: Header) -> str | None:
    return header.metadata.get("weights") if header.is_ours else None


def _sidecar(path: Path) -> Path:
    return path.with_name(f"{path.name}.nst.json")


def _stamp(path: Path) -> dict[str, int]:
    status = path.stat()
    return {"size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _remembered(path: Path) -> str | None:
    """The id computed earlier for this very file, told by its size and time."""
    try:
        kept = json.loads(files.read_limited(_sidecar(path), 1 << 16))
        if {key: kept[key] for key in ("size", "mtime_ns")} == _stamp(path):
            return str(kept["weights"])
    except (UserError, OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    return None


def _remember(path: Path, weights: str) -> None:
    try:
        data = json.dumps({**_stamp(path), "weights": weights}).encode()
        files.write(_sidecar(path), data + b"\n")
    except OSError:
        pass  # a read-only models folder: computed again next time
