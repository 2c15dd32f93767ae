"""Animations as bytes: WebP, GIF and APNG."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from nst_graph.errors import NodeError
from nst_graph.style.encode import SIDE_LIMIT, Saving, exif_of, png_chunks
from nst_graph.style.resize import resize

SUFFIXES = {"webp": ".webp", "gif": ".gif", "apng": ".png"}


def film(
    frames: Sequence[Tensor],
    saving: Saving,
    *,
    seconds: float,
    hold: float = 0.0,
    fade: int = 0,
    back_and_forth: bool = False,
    note: Callable[[str], None] = lambda message: None,
) -> bytes:
    """``frames`` [H, W, 3] in 0..1 as an endless animation, all at the size of the last one.

    Each is shown for ``seconds``, the last one ``hold`` longer. With ``fade`` so many mixtures
    lie between two frames and share the time of the first. ``saving`` names the format (``webp``,
    ``gif`` or ``apng``), the quality and what to embed (GIF cannot hold it).

    Raises:
        NodeError: no frames, an unknown format, or a picture too large for it.
    """
    if not frames:
        raise NodeError("a film needs at least one picture")
    if saving.format not in SUFFIXES:
        raise NodeError(f"format {saving.format!r} is not one of {', '.join(SUFFIXES)}")
    height, width = frames[-1].shape[:2]
    limit = SIDE_LIMIT.get(saving.format, 65_535)
    if max(height, width) > limit:
        raise NodeError(f"{saving.format} ends at {limit} pixels a side; the film is {width} wide")
    same = [_resized(frame, (height, width)) for frame in frames]
    shown: list[tuple[Tensor, float]] = []
    for now, following in itertools.pairwise(same):
        for part in range(fade + 1):
            shown.append((torch.lerp(now, following, part / (fade + 1)), seconds / (fade + 1)))
    shown.append((same[-1], seconds + hold))
    if back_and_forth:
        shown += shown[-2:0:-1]
    # A duration of 0 makes viewers choose their own.
    durations = [max(20, round(1000 * time)) for _, time in shown]
    pictures = [_picture(frame) for frame, _ in shown]
    buffer = io.BytesIO()
    pictures[0].save(
        buffer,
        "PNG" if saving.format == "apng" else saving.format.upper(),
        save_all=True,
        append_images=pictures[1:],
        duration=durations,
        loop=0,
        **_options(saving, note),
    )
    return buffer.getvalue()


def _options(saving: Saving, note: Callable[[str], None]) -> dict[str, Any]:
    if saving.format == "apng":
        return {"pnginfo": png_chunks(saving.text)}
    if saving.format == "webp":
        lossless = saving.quality == 100
        return {
            "quality": saving.quality,
            "lossless": lossless,
            "exif": exif_of(saving.text, note),
        }
    return {"optimize": False}


def _resized(frame: Tensor, size: tuple[int, int]) -> Tensor:
    planes = frame[..., :3].movedim(-1, 0)[None].float().nan_to_num(0.0).clamp(0, 1)
    return resize(planes, size)[0].movedim(0, -1)


def _picture(frame: Tensor) -> Image.Image:
    return Image.fromarray((frame * 255 + 0.5).to(torch.uint8).contiguous().numpy())
