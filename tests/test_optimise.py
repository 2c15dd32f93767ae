"""L-BFGS against scipy, Adam against its paper; scales, stops, weights, checkpoints."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.optimize
import torch
from hypothesis import given
from hypothesis import strategies as st

from nst_graph.errors import NodeError
from nst_graph.style import pyramid
from nst_graph.style.adam import Adam
from nst_graph.style.evaluation import Evaluation
from nst_graph.style.initial import INITS, initial_picture
from nst_graph.style.lbfgs import Lbfgs
from nst_graph.style.memory import HISTORY, history_for
from nst_graph.style.objective import Objective
from nst_graph.style.optimise import optimise
from nst_graph.style.settings import Settings, megabytes
from nst_graph.style.watch import Checkpoint, Moment, Wishes
from nst_graph.values import ContentTerm, Gram, Loss, PixelTerm, StyleSource, StyleTerm

tiny: Any = sys.modules["tiny"]
F64 = torch.float64
torch.set_num_threads(1)


def evaluated(function: Callable[[torch.Tensor], torch.Tensor]) -> Callable[..., Evaluation]:
    def evaluate(x: torch.Tensor) -> Evaluation:
        x = x.detach().requires_grad_()
        value = function(x)
        (gradient,) = torch.autograd.grad(value, x)
        value = value.detach()
        return Evaluation(value, value[None], value[None], gradient)

    return evaluate


def rosenbrock(x: torch.Tensor) -> torch.Tensor:
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def quadratic(size: int, seed: int, floor: float) -> Callable[[torch.Tensor], torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(size, size, generator=generator, dtype=F64)
    a = a @ a.T / size + floor * torch.eye(size, dtype=F64)
    b = torch.randn(size, generator=generator, dtype=F64)
    return lambda x: 0.5 * x @ a @ x - b @ x


PROBLEMS: dict[str, tuple[Any, torch.Tensor, tuple[float, float] | None]] = {
    "rosenbrock 2": (rosenbrock, torch.tensor([-1.2, 1.0], dtype=F64), None),
    "rosenbrock 20": (rosenbrock, torch.linspace(-1, 1, 20, dtype=F64), None),
    "quadratic": (quadratic(60, 0, 0.01), torch.zeros(60, dtype=F64), None),
    "box quadratic": (quadratic(200, 1, 0.01), torch.full((200,), 0.5, dtype=F64), (0, 1)),
    "box rosenbrock": (
        lambda x: rosenbrock(x * 1.5 - 0.75),
        torch.linspace(0, 1, 30, dtype=F64),
        (0, 1),
    ),
}


@pytest.mark.parametrize("name", sorted(PROBLEMS))
def test_lbfgs_finds_what_scipys_lbfgs_b_finds(name):
    function, start, box = PROBLEMS[name]
    evaluate = evaluated(function)
    optimiser = Lbfgs(start, box=box)
    used = 0
    for _ in range(500):
        outcome = optimiser.step(evaluate)
        used += outcome.evaluations
        assert box is None or (optimiser.x.min() >= box[0] and optimiser.x.max() <= box[1])
        if outcome.finished:
            break

    def both(x: np.ndarray) -> tuple[float, np.ndarray]:
        found = evaluate(torch.from_numpy(x.copy()))
        return float(found.total), found.gradient.numpy()

    wanted = scipy.optimize.minimize(
        both,
        start.numpy(),
        jac=True,
        method="L-BFGS-B",
        bounds=None if box is None else [box] * len(start),
        options={"maxcor": HISTORY, "ftol": 1e-15, "gtol": 1e-9, "maxiter": 2000},
    )
    assert float(function(optimiser.x)) <= wanted.fun + 1e-8 * max(1, abs(wanted.fun))
    assert np.abs(optimiser.x.numpy() - wanted.x).max() < 1e-3
    assert used < 6 * wanted.nfev


def test_lbfgs_does_not_care_about_the_scale_of_the_function():
    function, start, box = PROBLEMS["box quadratic"]
    paths = []
    for scale in (1e-9, 1.0, 1e9):
        optimiser = Lbfgs(start, box=box)
        evaluate = evaluated(lambda x, scale=scale: scale * function(x))
        for _ in range(10):
            optimiser.step(evaluate)
        paths.append(optimiser.x)
    assert torch.allclose(paths[0], paths[1], atol=1e-8)
    assert torch.allclose(paths[2], paths[1], atol=1e-8)


@pytest.mark.parametrize("size", [(1, 3, 49, 66), (1, 3, 31, 53)])
def test_lbfgs_goes_on_exactly_where_a_pair_begins_off_the_allocators_grid(size):
    """Sizes whose rows in a stack are not aligned, where sums over them round differently."""
    torch.manual_seed(3)
    goal, kernel = torch.rand(size) * 1.4 - 0.2, torch.randn(3, 3, 5, 5)
    evaluate = evaluated(
        lambda x: ((x - goal) ** 4).mean() + torch.conv2d(x, kernel).square().mean()
    )
    whole = Lbfgs(torch.full(size, 0.5))
    for _ in range(8):
        whole.step(evaluate)
    kept = {name: tensor.clone() for name, tensor in whole.tensors().items()}
    rest = Lbfgs(torch.zeros(size))
    rest.restore(kept, whole.facts())
    for _ in range(8):
        whole.step(evaluate)
        rest.step(evaluate)
        assert torch.equal(whole.x, rest.x)


def test_lbfgs_at_a_minimum_is_finished_at_once():
    outcome = Lbfgs(torch.zeros(3), box=None).step(evaluated(lambda x: x.square().sum()))
    assert outcome.finished and outcome.evaluations == 1


def test_adam_takes_the_steps_of_its_paper():
    """Algorithm 1 of Kingma & Ba (1412.6980), in float64."""
    function = quadratic(20, 3, 0.1)
    optimiser = Adam(torch.zeros(20, dtype=F64), rate=0.02, betas=(0.9, 0.99), box=None)
    theta, m, v = np.zeros(20), np.zeros(20), np.zeros(20)
    for t in range(1, 51):
        optimiser.step(evaluated(function))
        g = evaluated(function)(torch.from_numpy(theta)).gradient.numpy()
        m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
        theta = theta - 0.02 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.99**t)) + 1e-8)
    assert optimiser.x.numpy() == pytest.approx(theta, abs=1e-12)


@pytest.mark.parametrize("make", [Lbfgs, Adam])
def test_an_infinite_loss_is_rolled_back_and_the_step_halved(make):
    """Beyond 0.6 the function is NaN; its minimum within is at 0.5."""
    seen: list[float] = []

    def function(x: torch.Tensor) -> torch.Tensor:
        seen.append(float(x.detach().max()))
        return torch.where(x > 0.6, torch.nan, (x - 0.5).square()).sum()

    optimiser = make(torch.full((4,), 0.1), box=None, rate=1.0 if make is Lbfgs else 0.3)
    remarks = []
    for _ in range(60):
        outcome = optimiser.step(evaluated(function))
        remarks.append(outcome.remark)
        if outcome.finished:
            break
    assert max(seen) > 0.6 or make is Lbfgs
    assert optimiser.x.isfinite().all()
    if make is Adam:
        assert any(remark and "halved" in remark for remark in remarks)
        assert float((optimiser.x - 0.5).abs().max()) < 0.12


def test_lbfgs_goes_back_when_the_loss_becomes_infinite():
    calls = []

    def function(x: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return x.square().sum() * (torch.nan if len(calls) == 4 else 1.0) + x[0] ** 4

    optimiser = Lbfgs(torch.tensor([1.0, -2.0, 0.5]), box=None)
    outcomes = [optimiser.step(evaluated(function)) for _ in range(30)]
    assert sum("halved" in (outcome.remark or "") for outcome in outcomes) == 1
    assert float(optimiser.x.norm()) < 1e-2


@pytest.mark.parametrize("make", [Lbfgs, Adam])
def test_a_loss_that_is_infinite_from_the_start_is_an_error(make):
    with pytest.raises(FloatingPointError, match="first picture"):
        make(torch.zeros(3)).step(evaluated(lambda x: x.sum() * torch.nan))


@pytest.mark.parametrize("make", [Lbfgs, Adam])
def test_a_loss_that_stays_infinite_ends_the_work_with_the_last_good_picture(make):
    def function(x: torch.Tensor) -> torch.Tensor:
        """NaN everywhere but where it starts."""
        return (x - 3).square().sum() * (1.0 if bool((x == 0).all()) else torch.nan)

    optimiser = make(torch.zeros(3), box=None)
    for _ in range(10):
        outcome = optimiser.step(evaluated(function))
        if outcome.finished:
            break
    assert outcome.finished and "stopped" in (outcome.remark or "")
    assert (optimiser.x == 0).all()


# --- sizes and steps -----------------------------------------------------------------------------


@given(st.integers(1, 5000), st.integers(1, 10))
def test_steps_are_shared_out_completely_and_the_first_scale_gets_the_most(steps, scales):
    counts = pyramid.split_steps(steps, scales)
    assert sum(counts) == steps and min(counts) >= 1
    assert len(counts) == min(steps, scales) and counts[0] == max(counts)


def test_three_scales_share_their_steps_five_to_four_to_three():
    assert pyramid.split_steps(240, 3) == [100, 80, 60]


@given(
    st.integers(1, 3000),
    st.integers(1, 3000),
    st.integers(1, 10),
    st.floats(1.1, 4),
    st.integers(1, 64),
)
def test_scales_grow_to_the_final_size_and_are_never_too_small(height, width, scales, ratio, least):
    sizes = pyramid.scale_sizes((height, width), scales, ratio, least)
    assert sizes[-1] == (height, width) and len(sizes) <= scales
    assert sizes == sorted(set(sizes))
    assert all(min(size) >= least for size in sizes[:-1])


def test_the_long_side_is_what_was_asked_for():
    assert pyramid.final_size(300, 400, 0) == (300, 400)
    assert pyramid.final_size(300, 400, 100) == (75, 100)
    assert pyramid.final_size(1, 4000, 100) == (1, 100)


# --- objective -----------------------------------------------------------------------------------


def test_the_gradient_of_all_terms_together_equals_finite_differences():
    encoder = tiny.encoder(pooling="average")
    content, painting = tiny.picture(), tiny.picture(seed=2)
    mask = torch.zeros(1, 48, 56)
    mask[:, :24] = 1
    terms = [
        *tiny.terms(content, painting),
        StyleTerm(tiny.style(painting), kind="wasserstein", region=mask, layer_weights="equal"),
        StyleTerm(tiny.style(painting), kind="mean_std", region=mask, weight=0.5),
        PixelTerm("tv", 0.3, "nine_point"),
    ]
    objective = Objective(terms, (48, 56), 0, lambda choice: encoder)
    x = content.movedim(-1, 1).contiguous()
    found = objective(x)
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(4))
    step = 1e-2  # the network has kinks, and float32 needs some distance
    ahead, back = (objective(x + h * direction).total.double() for h in (step, -step))
    slope = float((found.gradient * direction).sum())
    assert slope == pytest.approx(float(ahead - back) / (2 * step), rel=5e-2)
    assert float(found.total) == pytest.approx(float(found.weighted.sum()))
    weights = torch.tensor(objective.weights)
    assert torch.allclose(found.weighted, weights * found.raw)


def test_one_forward_pass_per_evaluation_whatever_the_number_of_terms(monkeypatch):
    encoder = tiny.encoder()
    content = tiny.picture()
    terms = [term for seed in range(2, 6) for term in tiny.terms(content, tiny.picture(seed=seed))]
    objective = Objective(terms, (48, 56), 0, lambda choice: encoder)
    passes = []
    forward = type(encoder).__call__
    monkeypatch.setattr(
        type(encoder),
        "__call__",
        lambda self, x, layers: passes.append(1) or forward(self, x, layers),
    )
    objective(content.movedim(-1, 1))
    assert len(passes) == 1


def test_terms_do_not_change_each_other():
    encoder, content = tiny.encoder(), tiny.picture()
    terms = [*tiny.terms(content, tiny.picture(seed=2)), PixelTerm("tv", 1.0, "l1")]
    x = tiny.picture(seed=9).movedim(-1, 1)
    together = Objective(terms, (48, 56), 0, lambda choice: encoder)(x)
    for index, term in enumerate(terms):
        alone = Objective([term], (48, 56), 0, lambda choice: encoder)(x)
        assert float(alone.raw[0]) == pytest.approx(float(together.raw[index]), rel=1e-6)


def test_the_relative_losses_hardly_depend_on_the_size():
    encoder, content = tiny.encoder(), tiny.picture(256, 256)
    terms = tiny.terms(content, tiny.picture(256, 256, seed=2))
    raws = []
    for side in (64, 128, 256):
        x = torch.nn.functional.interpolate(
            tiny.picture(256, 256, seed=3).movedim(-1, 1), (side, side), mode="area"
        )
        raws.append(Objective(terms, (side, side), 0, lambda choice: encoder)(x).raw)
    assert torch.allclose(raws[0], raws[2], rtol=0.5) and torch.allclose(raws[1], raws[2], rtol=0.3)


def test_a_region_leaves_the_rest_of_the_picture_without_a_gradient():
    encoder = tiny.encoder()
    mask = torch.zeros(1, 64, 64)
    mask[:, :16] = 1
    term = StyleTerm(tiny.style(tiny.picture(seed=2)), region=mask)
    found = Objective([term], (64, 64), 0, lambda choice: encoder)(
        tiny.picture(64, 64).movedim(-1, 1)
    )
    assert (found.gradient[..., :16, :] != 0).any()
    assert (found.gradient[..., 40:, :] == 0).all()


def test_a_region_too_small_for_a_layer_leaves_that_layer_out_with_a_note():
    mask = torch.zeros(1, 64, 64)
    mask[:, 0, 0] = 1
    notes: list[str] = []
    term = StyleTerm(tiny.style(tiny.picture(seed=2)), region=mask)
    Objective([term], (64, 64), 0, lambda choice: tiny.encoder(), note=notes.append)
    assert notes == [
        f"a region is too small for {layer}, which is left out there"
        for layer in ("relu2_1", "relu3_1")
    ]


@pytest.mark.parametrize(
    ("terms", "says"),
    [
        ([], "no loss"),
        (
            [StyleTerm(tiny.style(tiny.picture()), region=torch.zeros(1, 8, 8))],
            "empty",
        ),
        (
            [ContentTerm(tiny.features(tiny.picture()), tiny.CONTENT, mask=torch.zeros(1, 8, 8))],
            "empty",
        ),
        ([ContentTerm(tiny.features(tiny.picture()), ("relu7_1",))], "relu7_1"),
        ([ContentTerm(tiny.features(tiny.picture()), ())], "no layers"),
        ([ContentTerm(tiny.features(tiny.picture()), tiny.CONTENT, metric="mud")], "metric"),
        ([StyleTerm(tiny.style(tiny.picture()), kind="mud")], "kind"),
        ([StyleTerm(tiny.style(tiny.picture()), layer_weights="0,0,0")], "0 for every layer"),
        (
            [
                StyleTerm(
                    Gram(
                        (
                            StyleSource(tiny.features(tiny.picture())),
                            StyleSource(
                                replace(
                                    tiny.features(tiny.picture()),
                                    encoder=replace(
                                        tiny.features(tiny.picture()).encoder, name="other"
                                    ),
                                )
                            ),
                        ),
                        tiny.STYLE,
                    )
                )
            ],
            "one encoder",
        ),
    ],
)
def test_terms_that_make_no_sense_are_refused(terms, says):
    with pytest.raises(NodeError, match=says):
        Objective(terms, (48, 56), 0, lambda choice: tiny.encoder())


def test_a_picture_too_small_for_a_layer_is_refused_with_the_size_it_needs():
    terms = tiny.terms(tiny.picture(3, 3), tiny.picture())
    with pytest.raises(NodeError, match=r"3 x 3 px is too small for relu3_. of tiny"):
        Objective(terms, (3, 3), 0, lambda choice: tiny.encoder())


# --- whole optimisations -------------------------------------------------------------------------


class Watch:
    """Keeps checkpoints of given steps; stops, or changes weights, where told."""

    def __init__(
        self,
        *,
        keep: Any = (),
        stop: int = 0,
        weights: dict[int, dict[int, float]] | None = None,
        start: Checkpoint | None = None,
    ) -> None:
        self.keep, self.stop, self.weights, self.start = set(keep), stop, weights or {}, start
        self.saved: list[tuple[int, Checkpoint]] = []
        self.moments: list[Moment] = []
        self.notes: list[str] = []
        self.reads: list[Any] = []
        self.pictures: list[torch.Tensor] = []

    def note(self, message: str) -> None:
        self.notes.append(message)

    def after_step(self, moment: Moment, read: Any, picture: Any) -> Wishes:
        self.moments.append(moment)
        self.reads.append(read())
        self.pictures.append(picture())
        return Wishes(
            stop=moment.step == self.stop,
            weights=self.weights.get(moment.step),
            checkpoint=moment.step in self.keep,
        )

    def checkpoint_due(self) -> bool:
        return False

    def save(self, checkpoint: Checkpoint, step: int) -> None:
        self.saved.append((step, checkpoint))

    def load(self) -> Checkpoint | None:
        return self.start


CONTENT_IMAGE, STYLE_IMAGE = tiny.picture(40, 56, seed=1), tiny.picture(48, 40, seed=2)


def paint(watch: Watch | None = None, image: Any = CONTENT_IMAGE, **options: Any) -> Any:
    content = options.pop("content", image)
    painting = options.pop("painting", STYLE_IMAGE)
    settings = Settings(**{"steps": 12, "tv_weight": 0.1, **options})
    terms = tiny.terms(content, painting)
    return optimise(image, terms, settings, lambda choice: tiny.encoder(), watch)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_painting_lowers_the_loss_and_keeps_to_displayable_colours(optimizer):
    picture, history = paint(optimizer=optimizer, steps=20)
    assert picture.shape == CONTENT_IMAGE.shape and picture.dtype == torch.float32
    assert picture.min() >= 0 and picture.max() <= 1
    assert history.terms == ("content", "style", "total variation")
    totals = [point.total for point in history.points]
    assert len(totals) == 20 and totals[-1] < 0.4 * totals[0]
    assert history.points[-1].total == pytest.approx(sum(history.points[-1].losses), rel=1e-5)


@pytest.mark.parametrize(("optimizer", "average"), [("lbfgs", 0.0), ("adam", 0.9)])
def test_going_on_from_any_checkpoint_gives_the_same_bytes(optimizer, average):
    """Also from those between two scales and two frames, and of the last step of a scale."""
    options = {
        "image": tiny.picture(40, 56, seed=1, count=2),
        "optimizer": optimizer,
        "average": average,
        "scales": 2,
        "steps": 5,
        "init": "noise",
        "seed": 5,
    }
    whole = Watch(keep=range(11))
    wanted, history = paint(whole, **options)
    steps = [step for step, _ in whole.saved]
    assert set(steps) == set(range(1, 11)) and len(steps) == 10 + 3  # and three in between
    for _, checkpoint in whole.saved:
        rest = Watch(start=checkpoint)
        found, again = paint(rest, **options)
        assert found.numpy().tobytes() == wanted.numpy().tobytes()
        assert [p.losses for p in again.points] == [p.losses for p in history.points]
        assert len(rest.moments) == 10 - checkpoint.facts["step"]


def test_checkpoints_survive_being_written_as_json_and_bytes():
    import json

    from safetensors.torch import load, save

    whole = Watch(keep=[4])
    wanted, _ = paint(whole, optimizer="lbfgs")
    _, checkpoint = whole.saved[0]
    tensors = load(save({k: v.contiguous() for k, v in checkpoint.tensors.items()}))
    facts = json.loads(json.dumps(checkpoint.facts))
    found, _ = paint(Watch(start=Checkpoint(tensors, facts)), optimizer="lbfgs")
    assert found.numpy().tobytes() == wanted.numpy().tobytes()


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_changed_weights_count_from_the_next_step_on_and_are_in_the_checkpoint(optimizer):
    changing = Watch(keep=[5, 8], weights={5: {0: 1.0}})
    wanted, _ = paint(changing, optimizer=optimizer)
    plain = Watch()
    paint(plain, optimizer=optimizer)
    assert changing.reads[:5] == plain.reads[:5]
    assert changing.reads[8][1][0] == pytest.approx(changing.reads[8][2][0])  # weight 1
    assert plain.reads[8][1][0] == pytest.approx(0.02 * plain.reads[8][2][0])
    for _, checkpoint in changing.saved:
        found, _ = paint(Watch(start=checkpoint), optimizer=optimizer)
        assert found.numpy().tobytes() == wanted.numpy().tobytes()


def test_a_stop_returns_the_picture_as_it_is_at_its_final_size():
    watch = Watch(stop=3)
    picture, history = paint(watch, scales=2, steps=12, size=64)
    assert picture.shape == (1, 46, 64, 3) and len(history.points) == 3
    assert watch.moments[-1].scale == 1
    whole, _ = paint(Watch(stop=12), steps=12)
    assert torch.equal(whole, paint(steps=12)[0])


def test_a_stop_in_a_batch_still_returns_every_frame():
    images = tiny.picture(40, 56, seed=1, count=3)
    picture, _ = paint(Watch(stop=15), image=images)
    assert picture.shape == images.shape
    assert torch.equal(picture[0], paint(image=images[:1])[0][0])
    assert torch.equal(picture[2], images[2])


def test_every_item_of_a_batch_equals_its_single_run():
    images = tiny.picture(40, 56, seed=1, count=2)
    styles = torch.cat([tiny.picture(48, 40, seed=2), tiny.picture(48, 40, seed=3)])
    both, _ = paint(image=images, painting=styles)
    for index in range(2):
        alone, _ = paint(image=images[index : index + 1], painting=styles[index : index + 1])
        assert torch.equal(both[index], alone[0])


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not():
    a, b, c = (paint(init="noise", seed=seed)[0] for seed in (3, 3, 4))
    assert a.numpy().tobytes() == b.numpy().tobytes()
    assert not torch.equal(a, c)


def test_progress_counts_steps_over_all_scales_and_shows_what_it_paints():
    watch = Watch()
    paint(watch, scales=3, scale_ratio=1.5, steps=12)
    assert [moment.step for moment in watch.moments] == list(range(1, 13))
    assert {moment.steps for moment in watch.moments} == {12}
    assert [moment.scale for moment in watch.moments] == [1] * 6 + [2] * 4 + [3] * 2 or [
        moment.scale for moment in watch.moments
    ] == [1] * 5 + [2] * 4 + [3] * 3
    assert [moment.width for moment in watch.moments][::5] == [25, 37, 56]
    assert all(picture.shape[0] == 3 for picture in watch.pictures)
    evaluations = [moment.evaluations for moment in watch.moments]
    assert evaluations == sorted(evaluations) and evaluations[-1] >= 12


def test_scales_that_the_encoder_cannot_see_are_left_out_with_a_note():
    watch = Watch()
    paint(watch, scales=8, scale_ratio=2.0)
    assert watch.moments[0].scales == 4
    assert any("4 of 8 scales" in note for note in watch.notes)


@pytest.mark.parametrize("init", INITS)
def test_every_initial_picture_is_a_picture_of_the_right_size(init):
    image = CONTENT_IMAGE.movedim(-1, 1)
    terms = tiny.terms(CONTENT_IMAGE, STYLE_IMAGE)
    found = initial_picture(init, image, terms, 0, 7)
    assert found.shape == image.shape and found.min() >= 0 and found.max() <= 1
    assert torch.equal(found, initial_picture(init, image, terms, 0, 7))
    if init in ("style", "style_noise"):
        wanted = STYLE_IMAGE.mean((0, 1, 2))
        assert torch.allclose(found.mean((0, 2, 3)), wanted, atol=0.03)


def test_an_initial_picture_in_style_needs_a_style():
    with pytest.raises(NodeError, match="no StyleLoss is linked"):
        initial_picture("style", CONTENT_IMAGE.movedim(-1, 1), [], 0, 0)


def test_without_clamp_only_the_result_is_kept_in_range():
    watch = Watch(keep=range(13))
    picture, _ = paint(watch, clamp=False, init="uniform", learning_rate=0.2, optimizer="adam")
    assert any(c.tensors["optimiser.x"].max() > 1 for _, c in watch.saved)
    assert picture.max() <= 1


def test_the_average_is_the_bias_corrected_mean_of_the_iterates():
    watch = Watch(keep=range(1, 9))
    picture, _ = paint(watch, average=0.5, steps=8)
    iterates = [checkpoint.tensors["optimiser.x"] for _, checkpoint in watch.saved]
    weights = [0.5 ** (8 - i) for i in range(1, 9)]
    mean = sum(w * x for w, x in zip(weights, iterates, strict=True)) / sum(weights)
    assert torch.allclose(picture.movedim(-1, 1), mean, atol=1e-5)


def test_a_picture_that_already_fits_is_finished_early_with_a_note():
    watch = Watch()
    features = tiny.features(CONTENT_IMAGE)
    terms = [ContentTerm(features, tiny.CONTENT)]
    picture, _ = optimise(
        CONTENT_IMAGE, terms, Settings(steps=50), lambda choice: tiny.encoder(), watch
    )
    assert torch.equal(picture, CONTENT_IMAGE)
    assert watch.moments[-1].step == 1 and "nothing more to gain" in watch.notes[-1]


def test_texture_synthesis_works_without_a_content_loss():
    terms = [StyleTerm(tiny.style(STYLE_IMAGE), layer_weights="equal")]
    settings = Settings(steps=25, init="noise")
    _, history = optimise(CONTENT_IMAGE, terms, settings, lambda choice: tiny.encoder())
    assert history.points[-1].total < 0.1 * history.points[0].total


def test_huge_weights_end_in_one_clear_error():
    terms = [ContentTerm(tiny.features(CONTENT_IMAGE), tiny.CONTENT, 1e300)]
    settings = Settings(init="noise", steps=3)
    with pytest.raises(NodeError, match="weight is far too large"):
        optimise(CONTENT_IMAGE, terms, settings, lambda choice: tiny.encoder())


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_more_memory_than_there_is_is_refused_with_a_size_that_fits(optimizer):
    limit = 2 * 10**9
    with pytest.raises(NodeError, match=r"16384 x \d+ px need about .* GB") as refused:
        paint(optimizer=optimizer, size=16384, limit=limit)
    fits = int(re.search(r"a size up to (\d+) fits", str(refused.value))[1])
    with pytest.raises(NodeError, match="need about 2"):
        paint(optimizer=optimizer, size=fits * 11 // 10, limit=limit)
    paint(optimizer=optimizer, size=32, steps=1, limit=limit)
    with pytest.raises(NodeError, match="for 20000 frames need about"):
        paint(image=CONTENT_IMAGE.expand(20000, -1, -1, -1), size=128, limit=limit)


@pytest.mark.parametrize(
    ("options", "says"),
    [({"optimizer": "sgd"}, "optimizer"), ({"init": "void"}, "init"), ({"memory": "1"}, "memory")],
)
def test_settings_that_make_no_sense_are_refused(options, says):
    with pytest.raises(NodeError, match=says):
        paint(size=512, **options)


def test_half_precision_paints_nearly_the_same_picture():
    settings = Settings(steps=12, tv_weight=0.1)
    terms = tiny.terms(CONTENT_IMAGE, STYLE_IMAGE)
    half = tiny.encoder(dtype=torch.bfloat16)
    a, _ = optimise(CONTENT_IMAGE, terms, settings, lambda choice: half)
    objective = Objective(terms, (40, 56), 0, lambda choice: tiny.encoder())
    b, _ = optimise(CONTENT_IMAGE, terms, settings, lambda choice: tiny.encoder())
    low, high = (float(objective(x.movedim(-1, 1).contiguous()).total) for x in (b, a))
    assert high < 1.3 * low


# --- memory --------------------------------------------------------------------------------------


def test_a_memory_limit_shortens_the_history_until_it_is_too_little():
    assert history_for("auto", 1000, 10**6) == HISTORY
    assert history_for("10000", 1000, 10**6) == HISTORY
    assert 4 <= history_for("1400", 1000, 10**6) < HISTORY
    with pytest.raises(NodeError, match="needs about 1240 MB"):
        history_for("1000", 1000, 10**6)


def test_memory_is_auto_or_a_number_of_megabytes():
    assert megabytes("auto") is None and megabytes(" 800 MB") == 800
    for text in ("-1", "much", "nan", "inf"):
        with pytest.raises(NodeError, match="neither auto"):
            megabytes(text)


def test_a_loss_is_a_value_of_its_terms():
    assert Loss((PixelTerm("tv"),)).terms[0].weight == 1.0
