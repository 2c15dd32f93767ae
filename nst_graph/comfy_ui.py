"""What a node shows in ComfyUI beside its outputs: the loss curves, as a picture and as numbers."""

from __future__ import annotations

import io
import logging
import math
import secrets
from pathlib import Path
from typing import Any

from nst_graph import files
from nst_graph.loss_plot import loss_plot
from nst_graph.values import History

POINTS = 500
"""The server keeps what nodes show in its history, so long courses are thinned to this."""


def loss_curves(history: History, temp: Path) -> dict[str, list[Any]]:
    """The ``ui`` value: ``images`` names a plot in the temporary folder; ``nst_loss`` has numbers.

    ``nst_loss`` is one object: ``terms``, and ``points`` of [step, total, one value per term].
    """
    step = max(1, math.ceil(len(history.points) / POINTS))
    chosen = [*history.points[:-1:step], history.points[-1]]
    points = [[p.step, *map(_finite, (p.total, *p.losses))] for p in chosen]
    shown: dict[str, list[Any]] = {"nst_loss": [{"terms": list(history.terms), "points": points}]}
    buffer = io.BytesIO()
    loss_plot(history).save(buffer, "PNG")
    name = f"nst_losses_{secrets.token_hex(6)}.png"
    try:
        files.write(temp / name, buffer.getvalue())
    except OSError as error:
        logging.warning("nst-graph: no plot of the losses: %s", error.strerror or error)
        return shown
    return {"images": [{"filename": name, "subfolder": "", "type": "temp"}], **shown}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
