"""NSTLossCombine: several losses through one link."""

from __future__ import annotations

from typing import Any

from nst_graph.values import Loss

MOST_LOSSES = 8


def loss_inputs(first_tooltip: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Required ``loss_1`` and optional ``loss_2`` … ``loss_8``."""
    more = {"tooltip": "Another loss; they are added up."}
    optional = {f"loss_{number}": ("NST_LOSS", more) for number in range(2, MOST_LOSSES + 1)}
    return {"loss_1": ("NST_LOSS", {"tooltip": first_tooltip})}, optional


def combined(losses: dict[str, Loss | None]) -> Loss:
    """All terms of ``loss_1`` … in the order of the numbers, whatever the order of arrival."""
    ordered = sorted(losses.items(), key=lambda item: int(item[0].removeprefix("loss_")))
    return Loss(tuple(term for _, loss in ordered if loss is not None for term in loss.terms))


class NSTLossCombine:
    DESCRIPTION = "Adds losses up, so that they travel through one link; each keeps its weight."
    CATEGORY = "nst/loss"
    FUNCTION = "combine"
    RETURN_TYPES = ("NST_LOSS",)
    RETURN_NAMES = ("loss",)
    OUTPUT_TOOLTIPS = ("All losses, for Optimize or another NSTLossCombine.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        required, optional = loss_inputs("The first loss.")
        return {"required": required, "optional": optional}

    def combine(self, **losses: Loss | None) -> tuple[Loss]:
        return (combined(losses),)
