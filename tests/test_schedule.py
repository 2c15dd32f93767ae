"""Which sizes an optimisation paints at, and for how many steps."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch

from nst_graph.errors import NodeError
from nst_graph.style import pyramid
from nst_graph.style.optimise import optimise
from nst_graph.style.settings import Settings, steps_of_scales

tiny: Any = sys.modules["tiny"]


def test_steps_of_scales_take_the_place_of_steps_and_scales() -> None:
    settings = Settings(steps=7, scales=2, scale_ratio=2.0, scale_steps=(5, 4, 3))
    assert pyramid.schedule((96, 128), settings, 8) == ([(24, 32), (48, 64), (96, 128)], [5, 4, 3])


def test_scales_that_are_too_small_leave_their_steps_out() -> None:
    settings = Settings(scale_ratio=2.0, scale_steps=(5, 4, 3))
    assert pyramid.schedule((96, 128), settings, 40) == ([(48, 64), (96, 128)], [4, 3])


def test_every_scale_is_painted_for_its_own_steps() -> None:
    content, painting = tiny.picture(64, 64), tiny.picture(64, 64, seed=2)
    settings = Settings(optimizer="adam", scale_ratio=2.0, scale_steps=(4, 2, 3))
    _, history = optimise(
        torch.as_tensor(content), tiny.terms(content, painting), settings, lambda _: tiny.encoder()
    )
    assert [point.scale for point in history.points] == [1] * 4 + [2] * 2 + [3] * 3


@pytest.mark.parametrize("text", ["400; 300", "0, 5", "-3", "1e3", "1.5", "x", "1," * 11, "²"])
def test_what_is_no_list_of_steps_is_refused(text: str) -> None:
    with pytest.raises(NodeError, match="is not a list of steps"):
        steps_of_scales(text)


def test_steps_may_be_separated_by_commas_or_blanks() -> None:
    assert steps_of_scales(" 400, 300 200 ") == (400, 300, 200)
    assert steps_of_scales("") == ()
