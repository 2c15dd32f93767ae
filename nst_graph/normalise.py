"""Rescale an encoder to unit mean activation over a folder of pictures, and keep it as a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nst_graph import files
from nst_graph.errors import UserError
from nst_graph.folders import PICTURES
from nst_graph.text import shorten
from nst_graph.values import EncoderChoice

if TYPE_CHECKING:
    from torch import Tensor

_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
_PIXEL_LIMIT = 64_000_000


def normalise(
    name: str, pictures: Path, models: Path, out_name: str, long_side: int = 512
) -> tuple[Path, float]:
    """Write encoder ``name``, rescaled over the folder ``pictures``, into the models folder.

    Every filter's mean activation becomes one, as in Gatys et al. (2016); the network computes
    the same up to these scales, which is verified before anything is written. Pictures are
    reduced to ``long_side`` pixels.

    Returns:
        The new file ``models / out_name`` and the largest relative difference found.

    Raises:
        UserError: no pictures, an unreadable one, the name is taken or no plain
            ``NAME.safetensors``, or ``name`` cannot be loaded.
    """
    import torch

    from nst_graph.style.encoder import Encoder, load_encoder
    from nst_graph.style.normalise import mean_activations, rescaled, verify
    from nst_graph.style.weights_files import pack, read
    from nst_graph.style.weights_lookup import find

    if not re.fullmatch(r"[\w-][\w. -]*\.safetensors", out_name):
        raise UserError(f"{shorten(out_name)!r}: the new encoder needs a name.safetensors")
    target = models / out_name
    if target.exists():
        raise UserError(f"{shorten(str(target), 300)} exists; choose another name")
    paths = sorted(p for p in pictures.glob("*") if p.suffix.lower() in PICTURES and p.is_file())
    if not paths:
        raise UserError(f"there are no pictures in {shorten(str(pictures), 300)}")
    original = load_encoder(EncoderChoice(name), models)
    source = find(name, models)
    assert source is not None  # it was just loaded
    weights = read(source)
    scales = mean_activations(original, _opened(paths, long_side))
    new = rescaled(weights, scales)
    error = verify(original, Encoder(out_name, new), scales, next(_opened(paths, long_side)))
    metadata = {
        "source": f"{name} rescaled to unit mean activation over {len(paths)} pictures",
        "source_weights": weights.id,
    }
    data = pack(new.architecture, new.tensors, torch.float32, metadata)
    try:
        if not files.write_new(target, data):
            raise UserError(f"{shorten(str(target), 300)} exists; choose another name")
    except OSError as failure:
        raise UserError(f"cannot write {target}: {failure.strerror}") from failure
    return target, error


def _opened(paths: list[Path], long_side: int) -> Iterator[Tensor]:
    """Each picture as float32 [1, 3, H, W] in 0..1."""
    import numpy as np
    import torch
    from PIL import Image

    for path in paths:
        try:
            with Image.open(path, formats=_FORMATS) as picture:
                if picture.width * picture.height > _PIXEL_LIMIT:
                    raise UserError(f"{shorten(path.name)!r} has more than 64 million pixels")
                small = picture.convert("RGB")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise UserError(f"{shorten(path.name)!r} cannot be read as a picture") from error
        small.thumbnail((long_side, long_side))
        array = np.asarray(small, dtype=np.float32) / 255.0
        yield torch.from_numpy(array).permute(2, 0, 1)[None]
