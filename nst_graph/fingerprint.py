"""A digest of any value that travels between nodes: equal content, equal digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def fingerprint(value: Any) -> str:
    """SHA-256 of ``value``: constants, sequences, mappings, recipes and tensors within them.

    Tensors count with dtype, shape and bytes, wherever they lie.

    Raises:
        TypeError: it holds an object whose content cannot be known.
    """
    digest = hashlib.sha256()
    for part in _parts(value):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def _parts(value: Any) -> Iterator[bytes]:
    if value is None or isinstance(value, bool | int | float | str):
        yield f"{type(value).__name__} {value!r}".encode()
    elif isinstance(value, list | tuple):
        yield f"sequence {len(value)}".encode()
        for item in value:
            yield from _parts(item)
    elif isinstance(value, Mapping):
        yield f"mapping {len(value)}".encode()
        for key in sorted(value, key=str):
            yield str(key).encode()
            yield from _parts(value[key])
    elif is_dataclass(value) and not isinstance(value, type):
        yield f"recipe {type(value).__name__}".encode()
        for field in fields(value):
            yield field.name.encode()
            yield from _parts(getattr(value, field.name))
    elif hasattr(value, "detach"):
        tensor = value.detach().cpu().contiguous()
        yield f"tensor {tensor.dtype} {tuple(tensor.shape)}".encode()
        yield _bytes(tensor)
    else:
        raise TypeError(f"the content of a {type(value).__name__} is not known")


def _bytes(tensor: Any) -> bytes:
    import torch

    flat = tensor.reshape(-1)
    return bytes(flat.view(torch.uint8).numpy()) if flat.numel() else b""
