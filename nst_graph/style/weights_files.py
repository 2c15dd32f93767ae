"""Reading weights from files and packing them into ``nst-encoder/1`` (see weights_format)."""

from __future__ import annotations

import hashlib
import json
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nst_graph.errors import UserError
from nst_graph.style.architecture import TRANSFORMS, Architecture
from nst_graph.style.recognise import Recognised, recognise
from nst_graph.style.weights_format import (
    architecture_of,
    calibrated_taps,
    describe,
    expected,
    read_header,
)

SUFFIXES = (".safetensors", ".pth")
_DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}

# The first filter of conv1_1 of the authors' VGG-19 (BGR). Files with torchvision's tensor names
# may hold these weights, as they are or with every filter rescaled: its direction tells.
_CAFFE_FILTER = (
    (0.3412, 0.3400, -0.0448, 0.2322, 0.0898, -0.3033, -0.0726, -0.2467, -0.3368),
    (0.4642, 0.4181, -0.0481, 0.3051, 0.1039, -0.3731, -0.0765, -0.3107, -0.4645),
    (0.3942, 0.3774, -0.0459, 0.2671, 0.0999, -0.3410, -0.0757, -0.2803, -0.4160),
)


@dataclass(frozen=True)
class Weights:
    """Canonical tensors by name, float32 on the CPU, and their digest."""

    architecture: Architecture
    tensors: Mapping[str, Tensor]
    id: str

    def calibration(self, tap: str) -> tuple[Tensor, Tensor] | None:
        """(whiten [C, C], mean [C]) of ``tap``."""
        whiten = self.tensors.get(f"calibration.{tap}.whiten")
        return None if whiten is None else (whiten, self.tensors[f"calibration.{tap}.mean"])


def canonical(architecture: Architecture, tensors: Mapping[str, Tensor]) -> Weights:
    """Check ``tensors`` (any float dtype) against ``architecture`` and name them by digest.

    Raises:
        UserError: a tensor is missing, has the wrong shape or holds NaN or infinity.
    """
    shapes = expected(architecture, calibrated_taps({name: () for name in tensors}))
    found: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        given = tensors.get(name)
        if given is None or tuple(given.shape) != shape:
            what = "missing" if given is None else str(list(given.shape))
            raise UserError(f"{name} should be {list(shape)} but is {what}")
        tensor = given.detach().to("cpu", torch.float32).contiguous()
        if not bool(tensor.sum(dtype=torch.float64).isfinite()):
            raise UserError(f"{name} holds NaN or infinity")
        found[name] = tensor
    return Weights(architecture, found, _digest(architecture, found))


def _digest(architecture: Architecture, tensors: Mapping[str, Tensor]) -> str:
    text = "".join(f"{key}={value}\n" for key, value in describe(architecture).items())
    digest = hashlib.sha256(text.encode())
    for name, tensor in tensors.items():
        digest.update(f"{name} {list(tensor.shape)}\n".encode())
        digest.update(np.ascontiguousarray(tensor.numpy(), "<f4").data)
    return digest.hexdigest()


def pack(
    architecture: Architecture,
    tensors: Mapping[str, Tensor],
    dtype: torch.dtype = torch.float16,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """The content of an ``nst-encoder/1`` file; the same input gives the same bytes.

    ``tensors`` by canonical name are rounded to ``dtype`` first, so that the id describes what
    is stored. ``metadata``: further strings about origin, licence and training.

    Raises:
        UserError: a tensor does not fit, or is not finite in ``dtype``.
    """
    weights = canonical(architecture, {name: t.to(dtype) for name, t in tensors.items()})
    header: dict[str, object] = {
        "__metadata__": {**(metadata or {}), **describe(architecture), "weights": weights.id}
    }
    parts, offset = [], 0
    for name, tensor in weights.tensors.items():
        part = tensor.to(dtype).view(torch.uint8).numpy().tobytes()
        header[name] = {
            "dtype": _DTYPES[dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(part)],
        }
        parts.append(part)
        offset += len(part)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join((struct.pack("<Q", len(text)), text, *parts))


def read(path: Path) -> Weights:
    """The weights in a ``.safetensors`` or ``.pth`` file, of our format or a known foreign one.

    Shapes are checked before any tensor is read; a ``.pth`` may hold tensors only, never code.

    Raises:
        UserError: truncated, damaged, not VGG-shaped, or not what its metadata says.
    """
    try:
        return _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    except OSError as error:
        raise UserError(f"cannot read {str(path)!r}: {error.strerror or error}") from error


def _read_safetensors(path: Path) -> Weights:
    from safetensors import SafetensorError, safe_open

    header = read_header(path)
    declared = header.metadata.get("input", "")
    if header.is_ours:
        architecture = architecture_of(header, repr(path.name))
        content = Recognised(architecture, {name: name for name in header.shapes}, None)
    else:
        content = recognise(header.shapes, path.name, declared)
    wanted = [*content.sources.values(), *_front_names(content)]
    try:
        with safe_open(str(path), framework="pt") as file:
            state = {name: file.get_tensor(name) for name in wanted}
    except (SafetensorError, RuntimeError, ValueError) as error:
        raise UserError(f"{path.name!r} is damaged: {ascii(str(error))[:200]}") from error
    weights = _canonical(path, content, state, declared in TRANSFORMS)
    if header.is_ours and header.metadata.get("weights", weights.id) != weights.id:
        raise UserError(
            f"{path.name!r} is damaged: its tensors are not those whose digest it holds - "
            "put the file there again"
        )
    return weights


def _read_pickle(path: Path) -> Weights:
    with path.open("rb") as file:
        zipped = file.read(4) == b"PK\x03\x04"
    try:
        with warnings.catch_warnings(action="ignore"):
            data = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except MemoryError:
        raise
    except Exception as error:  # whatever the unpickler makes of foreign bytes
        raise UserError(
            f"{path.name!r} is truncated, damaged, or holds more than plain tensors "
            "(pickled code is never run)"
        ) from error
    if isinstance(data, dict) and isinstance(data.get("state_dict"), dict):
        data = data["state_dict"]
    if not isinstance(data, dict):
        raise UserError(f"{path.name!r} holds a {type(data).__name__}, not a state dict")
    state = {
        name: value
        for name, value in data.items()
        if isinstance(name, str) and isinstance(value, Tensor) and value.is_floating_point()
    }
    content = recognise({name: tuple(t.shape) for name, t in state.items()}, path.name)
    return _canonical(path, content, state, False)


def _front_names(content: Recognised) -> tuple[str, ...]:
    if content.front is None:
        return ()
    return (content.front, content.front.removesuffix("weight") + "bias")


def _canonical(
    path: Path, content: Recognised, state: Mapping[str, Tensor], input_declared: bool
) -> Weights:
    architecture = content.architecture
    tensors = {name: state[source] for name, source in content.sources.items()}
    try:
        if content.front is not None:
            matrix, offset = (state.get(name) for name in _front_names(content))
            tensors |= _with_front(matrix, offset, tensors)
        elif not input_declared and _is_caffe(tensors["conv1_1.weight"]):
            architecture = replace(architecture, input="caffe")
        return canonical(architecture, tensors)
    except UserError as error:
        raise UserError(f"{path.name!r}: {error}") from error


def _is_caffe(conv1_1: Tensor) -> bool:
    ours = torch.tensor(_CAFFE_FILTER).flatten()
    theirs = conv1_1[0].float().flatten()
    return bool(torch.cosine_similarity(ours, theirs, dim=0) > 0.9999)


def _with_front(
    matrix: Tensor | None, offset: Tensor | None, tensors: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """conv1_1 of the net without its 1x1 convolution: the product of the two.

    Exact because the padding in between repeats pixels, as the 1x1 convolution would.
    """
    if matrix is None or offset is None or offset.shape != (3,):
        raise UserError("the first, 1x1 convolution has no bias of three numbers")
    weight = tensors["conv1_1.weight"].double()
    return {
        "conv1_1.weight": torch.einsum("oihw,ic->ochw", weight, matrix.double().view(3, 3)),
        "conv1_1.bias": tensors["conv1_1.bias"].double()
        + torch.einsum("oihw,i->o", weight, offset.double()),
    }
