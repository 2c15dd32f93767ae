"""The picture nodes as a graph uses them: twins of ComfyUI's, and our own."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torch import Tensor

from nst_graph import files, host
from nst_graph.errors import NodeError
from nst_graph.folders import Folders
from nst_graph.host import PlainHost
from nst_graph.nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS
from nst_graph.nodes.fit import NSTResize
from nst_graph.nodes.load_image import LoadImage, LoadImageMask, NSTLoadImage
from nst_graph.nodes.output_names import split_prefix
from nst_graph.nodes.save_image import NSTSaveImage, PreviewImage, SaveImage

LOADERS = [LoadImage, LoadImageMask, NSTLoadImage]
SAVERS = [SaveImage, NSTSaveImage]
ALL = [*LOADERS, *SAVERS, PreviewImage, NSTResize]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[PlainHost]:
    """A host with empty input, output and temp folders; nodes run as ComfyUI runs them."""
    (tmp_path / "input").mkdir()
    folders = Folders(
        (tmp_path / "input",), tmp_path / "output", tmp_path / "temp", tmp_path / "models"
    )
    plain = PlainHost(folders)
    with host.use(plain), torch.inference_mode():
        yield plain


def put(desk: PlainHost, name: str, samples: np.ndarray | Image.Image, **options: Any) -> Path:
    path = desk.folders.inputs[0] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image = samples if isinstance(samples, Image.Image) else Image.fromarray(samples)
    image.save(path, **options)
    return path


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def load(node: type, name: str) -> Any:
    """Run a loader on ``name`` with its defaults."""
    if node is LoadImageMask:
        return LoadImageMask().load_image(name, "red")
    if node is LoadImage:
        return LoadImage().load_image(name)
    return NSTLoadImage().load(name, 0, "sRGB-convert", "none", 512, 512)


def save(node: type, images: Tensor, prefix: str, **hidden: Any) -> list[dict[str, str]]:
    """Run a saver with its defaults; what it says it saved."""
    if node is NSTSaveImage:
        result = NSTSaveImage().save(images, prefix, "png", 8, 95, True, **hidden)
    else:
        result = SaveImage().save_images(images, prefix, **hidden)
    shown: list[dict[str, str]] = result["ui"]["images"]
    return shown


# --- declarations --------------------------------------------------------------------------------


@pytest.mark.parametrize("node", ALL)
def test_every_input_has_a_tooltip_and_every_node_a_description(node: Any) -> None:
    declared = node.INPUT_TYPES()
    json.dumps(declared, allow_nan=False)
    for part in ("required", "optional"):
        for name, spec in declared.get(part, {}).items():
            assert spec[1]["tooltip"], name
    assert node.DESCRIPTION and node.CATEGORY and callable(getattr(node, node.FUNCTION))
    tips = getattr(node, "OUTPUT_TOOLTIPS", ())
    assert len(tips) == len(node.RETURN_TYPES)


def test_the_twins_are_not_offered_to_comfyui() -> None:
    twins = {"LoadImage", "LoadImageMask", "SaveImage", "PreviewImage"}
    assert not twins & set(NODE_CLASS_MAPPINGS)
    assert not twins & set(NODE_DISPLAY_NAME_MAPPINGS)


def test_the_combo_lists_the_pictures_of_the_input_folder(desk: PlainHost) -> None:
    for name in ("b.png", "a.jpg", "c.webp"):
        put(desk, name, noise(2, 2, 3))
    (desk.folders.inputs[0] / "notes.txt").touch()
    for node in LOADERS:
        choices, options = node.INPUT_TYPES()["required"]["image"]
        assert choices == ["a.jpg", "b.png", "c.webp"] and options["image_upload"] is True


def test_declarations_and_validation_import_no_torch() -> None:
    script = """
        import sys
        from nst_graph.nodes import NODE_CLASS_MAPPINGS, STANDALONE_CLASS_MAPPINGS
        for node in {**NODE_CLASS_MAPPINGS, **STANDALONE_CLASS_MAPPINGS}.values():
            node.INPUT_TYPES()
        NODE_CLASS_MAPPINGS["NSTLoadImage"].VALIDATE_INPUTS("x.png")
        NODE_CLASS_MAPPINGS["NSTSaveImage"].VALIDATE_INPUTS("x", "jpeg", 8)
        assert "torch" not in sys.modules, "torch was imported"
    """
    root = Path(__file__).parent.parent
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], cwd=root, check=True)


# --- LoadImage and LoadImageMask -----------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16"])
def test_load_image_gives_the_pixels_that_pillow_gives(mode: str, desk: PlainHost) -> None:
    source = Image.fromarray(noise(6, 5, 4))
    if mode == "I;16":
        picture = Image.fromarray(noise(6, 5).astype(np.uint16) * 200)
    else:
        picture = source.convert("RGB").convert(mode) if mode == "P" else source.convert(mode)
    name = "x.tif" if mode == "CMYK" else "x.png"
    path = put(desk, name, picture)
    images, mask = load(LoadImage, name)
    with Image.open(path) as reference:
        upright = ImageOps.exif_transpose(reference)
        expected = np.asarray(upright.convert("RGB")).astype(np.float32) / 255.0
        assert np.array_equal(images[0].numpy(), expected)
        if "A" in upright.getbands():
            alpha = np.asarray(upright.getchannel("A")).astype(np.float32) / 255.0
            assert np.array_equal(mask[0].numpy(), 1.0 - alpha)
        else:
            assert torch.equal(mask, torch.zeros(1, 64, 64))
    assert images.dtype == mask.dtype == torch.float32


def test_a_transparent_palette_gives_a_mask(desk: PlainHost) -> None:
    palette = Image.fromarray(noise(6, 5) % 3).convert("P")
    put(desk, "x.png", palette, transparency=1)
    _, mask = load(LoadImage, "x.png")
    assert np.array_equal(mask[0].numpy(), (np.asarray(palette) == 1).astype(np.float32))


def test_names_may_lie_in_sub_folders_and_say_which_folder(desk: PlainHost) -> None:
    put(desk, "sub/x.png", noise(3, 4, 3))
    (saved,) = save(SaveImage, torch.rand(1, 5, 6, 3), "made")
    for node in LOADERS:
        assert load(node, "sub/x.png")[0].shape[1:3] == (3, 4)
        assert load(node, "sub/x.png [input]")[0].shape[1:3] == (3, 4)
        assert load(node, f"{saved['filename']} [output]")[0].shape[1:3] == (5, 6)
        assert node.VALIDATE_INPUTS("sub/x.png [input]") is True


@pytest.mark.parametrize("node", LOADERS)
def test_the_fingerprint_is_the_sha256_of_the_file(node: Any, desk: PlainHost) -> None:
    path = put(desk, "x.png", noise(3, 4, 3))
    others = {"channel": "red"} if node is LoadImageMask else {}
    if node is NSTLoadImage:
        others = {"frame": 0, "color": "keep", "fit": "none", "width": 8, "height": 8}
    assert node.IS_CHANGED("x.png", **others) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert node.IS_CHANGED(None, **dict.fromkeys(others)) == ""
    assert node.VALIDATE_INPUTS(None) is True


# --- NSTLoadImage --------------------------------------------------------------------------------


def test_alpha_comes_as_a_mask_of_the_pictures_size_with_1_for_opaque(desk: PlainHost) -> None:
    rgba = noise(6, 5, 4)
    put(desk, "alpha.png", rgba)
    put(desk, "plain.png", rgba[..., :3].copy())
    image, alpha = load(NSTLoadImage, "alpha.png")
    np.testing.assert_allclose(alpha[0].numpy() * 255, rgba[..., 3], atol=1e-4)
    np.testing.assert_allclose(image[0].numpy() * 255, rgba[..., :3], atol=1e-4)
    _, alpha = load(NSTLoadImage, "plain.png")
    assert torch.equal(alpha, torch.ones(1, 6, 5))


def test_picture_and_alpha_are_fitted_alike(desk: PlainHost) -> None:
    scene = np.zeros((40, 80, 4), np.uint8)
    scene[:, 20:60] = 255  # white and opaque in the middle half
    put(desk, "x.png", scene)
    for fit, size in (("cover", (20, 20)), ("contain", (10, 20)), ("stretch", (20, 20))):
        image, alpha = NSTLoadImage().load("x.png", 0, "keep", fit, 20, 20)
        assert image.shape == (1, *size, 3) and alpha.shape == (1, *size)
        assert torch.allclose(image[..., 0], alpha, atol=0.1)


def test_what_was_ignored_is_told(desk: PlainHost) -> None:
    put(desk, "x.png", noise(3, 3, 3), icc_profile=b"junk")
    load(NSTLoadImage, "x.png")
    assert desk.notes == ["x.png: its colour profile was ignored (it cannot be read)"]


def test_growing_beyond_the_limit_is_refused(desk: PlainHost) -> None:
    put(desk, "x.png", noise(4, 4, 3))
    with pytest.raises(NodeError, match=r"the resized picture has 16384x16384 = 268\.4"):
        NSTLoadImage().load("x.png", 0, "keep", "stretch", 16384, 16384)


# --- NSTResize -----------------------------------------------------------------------------------


def test_resizing_keeps_batch_and_channels_and_leaves_the_input_alone(desk: PlainHost) -> None:
    image = torch.rand(2, 10, 20, 4)
    before = image.clone()
    for name in NSTResize.INPUT_TYPES()["required"]["filter"][0]:
        (small,) = NSTResize().resize(image, "contain", 8, 8, name)
        assert small.shape == (2, 4, 8, 4) and small.is_contiguous()
        assert float(small.min()) >= 0 and float(small.max()) <= 1
    assert torch.equal(image, before)
    assert torch.equal(NSTResize().resize(image, "none", 0, 0, "area")[0], image)
    (half,) = NSTResize().resize(image.half(), "stretch", 5, 5, "bicubic")
    assert half.dtype == torch.float32


# --- saving --------------------------------------------------------------------------------------


def test_save_image_cuts_off_to_8_bits_and_returns_its_images(desk: PlainHost) -> None:
    images = torch.rand(2, 7, 5, 3)
    result = SaveImage().save_images(images, "x")
    assert result["result"][0] is images
    assert result["ui"]["images"] == [
        {"filename": f"x_0000{n}_.png", "subfolder": "", "type": "output"} for n in (1, 2)
    ]
    for n, image in enumerate(images.numpy(), 1):
        expected = np.clip(255.0 * image, 0, 255).astype(np.uint8)
        with Image.open(desk.folders.output / f"x_0000{n}_.png") as saved:
            assert np.array_equal(np.asarray(saved), expected)


def test_what_was_saved_loads_and_saves_again_without_loss(desk: PlainHost) -> None:
    (first,) = save(SaveImage, torch.rand(1, 9, 9, 3), "a")
    images, _ = load(LoadImage, f"{first['filename']} [output]")
    (second,) = save(SaveImage, images, "b")
    folder = desk.folders.output
    with Image.open(folder / first["filename"]) as a, Image.open(folder / second["filename"]) as b:
        assert np.array_equal(np.asarray(a), np.asarray(b))


def test_the_counter_goes_on_after_the_highest_there_is(desk: PlainHost) -> None:
    folder = desk.folders.output
    folder.mkdir()
    for name in ("x_00007_.png", "x_00003_.png", "x_abc_.png", "xy_00099_.png", "x_00009.png"):
        (folder / name).touch()
    (folder / "x_00012_tail.webp").touch()
    (saved,) = save(SaveImage, torch.rand(1, 2, 2, 3), "x")
    assert saved["filename"] == "x_00013_.png"
    (other,) = save(SaveImage, torch.rand(1, 2, 2, 3), "x_abc")
    assert other["filename"] == "x_abc_00001_.png"


def test_nothing_is_ever_overwritten(desk: PlainHost, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):  # ComfyUI starts at 1 again for this prefix, and overwrites
        save(SaveImage, torch.rand(2, 2, 2, 3), "x%batch_num%")
    names = sorted(path.name for path in desk.folders.output.iterdir())
    assert len(names) == 6 and names[0] == "x0_00001_.png"


def test_two_processes_saving_at_once_lose_nothing(desk: PlainHost) -> None:
    root = desk.folders.output.parent
    script = f"""
        import sys, torch
        from pathlib import Path
        from nst_graph import host
        from nst_graph.folders import Folders
        from nst_graph.nodes.save_image import SaveImage
        root = Path({str(root)!r})
        with host.use(host.PlainHost(Folders((root,), root / "output", root, root))):
            for n in range(20):
                SaveImage().save_images(torch.full((1, 1, 1, 3), float(sys.argv[1])), "x")
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(script), shade],
            cwd=Path(__file__).parent.parent,
        )
        for shade in ("0.25", "0.75")
    ]
    assert [process.wait(120) for process in processes] == [0, 0]
    shades = []
    for path in desk.folders.output.iterdir():
        with Image.open(path) as image:
            shades.append(image.getpixel((0, 0))[0])  # type: ignore[index]
    assert sorted(shades) == [63] * 20 + [191] * 20


def test_variables_in_the_prefix_are_replaced(desk: PlainHost) -> None:
    prefix = "%year%/%width%x%height%_%month%%day%-%hour%%minute%%second%"
    (saved,) = save(SaveImage, torch.rand(1, 4, 6, 3), prefix)
    assert re.fullmatch(r"\d{4}", saved["subfolder"])
    assert re.fullmatch(r"6x4_\d{4}-\d{6}_00001_\.png", saved["filename"])
    (dated,) = save(SaveImage, torch.rand(1, 4, 6, 3), "%date:yyyy-MM-dd%/x")
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", dated["subfolder"])


GRAPH = {"9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "t": "ä\u2028"}}}


def test_the_graph_lies_in_the_picture_as_strict_ascii_json(desk: PlainHost) -> None:
    prompt = json.loads(json.dumps(GRAPH))
    prompt["9"]["is_changed"] = [float("nan")]
    extra = {"workflow": {"nodes": [], "zoom": float("inf")}, "nst": {"key": "k"}}
    for node in SAVERS:
        (saved,) = save(node, torch.rand(1, 2, 2, 3), "x", prompt=prompt, extra_pnginfo=extra)
        with Image.open(desk.folders.output / saved["filename"]) as image:
            image.load()
            text = image.text  # type: ignore[attr-defined]
        assert text["prompt"] == json.dumps(GRAPH) and text["prompt"].isascii()
        assert text["workflow"] == '{"nodes": [], "zoom": null}'
        assert json.loads(text["nst"]) == {"key": "k"}
    assert "is_changed" in prompt["9"]


def test_chunk_names_that_png_does_not_allow_are_left_out(desk: PlainHost) -> None:
    extra = {"": 1, "x" * 80: 2, "a\0b": 3, "日本": 4, "fine": 5}
    for node in SAVERS:
        (saved,) = save(node, torch.rand(1, 2, 2, 3), "x", prompt=GRAPH, extra_pnginfo=extra)
        with Image.open(desk.folders.output / saved["filename"]) as image:
            assert set(image.text) == {"prompt", "fine"}  # type: ignore[attr-defined]


def test_previews_go_to_the_temporary_folder(desk: PlainHost) -> None:
    images = torch.rand(2, 3, 3, 3)
    result = PreviewImage().save_images(images, GRAPH)
    assert {shown["type"] for shown in result["ui"]["images"]} == {"temp"}
    assert result["result"][0] is images
    for shown in result["ui"]["images"]:
        assert re.fullmatch(r"ComfyUI_temp_[0-9a-f]{6}_0000[12]_\.png", shown["filename"])
        assert (desk.folders.temp / shown["filename"]).is_file()
    assert not desk.folders.output.exists()


@pytest.mark.parametrize(
    ("format", "bits", "name"),
    [
        ("png", 8, "PNG"),
        ("png", 16, "PNG"),
        ("jpeg", 8, "JPEG"),
        ("webp", 8, "WEBP"),
        ("tiff", 8, "TIFF"),
        ("tiff", 16, "TIFF"),
    ],
)
def test_every_format_is_saved_and_loads_again(
    format: str, bits: int, name: str, desk: PlainHost
) -> None:
    ramp = torch.linspace(0, 1, 64).repeat(48, 1)[None, ..., None].repeat(1, 1, 1, 3)
    assert NSTSaveImage.VALIDATE_INPUTS("x", format, bits) is True
    shown = NSTSaveImage().save(ramp, "x", format, bits, 95, True, prompt=GRAPH)["ui"]["images"]
    with Image.open(desk.folders.output / shown[0]["filename"]) as image:
        assert image.format == name
    image, _ = load(NSTLoadImage, f"{shown[0]['filename']} [output]")
    close = {8: 0.5 / 255, 16: 0.5 / 65535}[bits] if format in ("png", "tiff") else 0.03
    assert torch.allclose(image, ramp, rtol=0, atol=close + 1e-6)


def test_alpha_is_saved_for_one_or_for_each_picture(desk: PlainHost) -> None:
    images, masks = torch.rand(2, 8, 8, 3), torch.rand(2, 8, 8)
    shown = NSTSaveImage().save(images, "x", "png", 16, 95, True, alpha=masks)["ui"]["images"]
    for mask, entry in zip(masks, shown, strict=True):
        _, alpha = load(NSTLoadImage, f"{entry['filename']} [output]")
        assert torch.allclose(alpha[0], mask, atol=1e-5)
    NSTSaveImage().save(images, "x", "png", 8, 95, True, alpha=torch.ones(1, 4, 4))
    with pytest.raises(NodeError, match="alpha has 3 masks for 2 pictures"):
        NSTSaveImage().save(images, "x", "png", 8, 95, True, alpha=torch.ones(3, 8, 8))
    NSTSaveImage().save(images, "x", "jpeg", 8, 95, True, alpha=masks)
    assert desk.notes[0] == "jpeg has no transparency; the picture was saved without it"


def test_values_that_are_not_numbers_are_noted(desk: PlainHost) -> None:
    images = torch.full((1, 2, 2, 3), float("nan"))
    for node in SAVERS:
        save(node, images, "x")
    assert len(desk.notes) == 2 and "saved as black" in desk.notes[0]


@pytest.mark.parametrize("node", SAVERS)
def test_a_tensor_that_is_no_image_is_refused(node: type, desk: PlainHost) -> None:
    for shape in ((4, 4, 3), (1, 4, 4, 2), (0, 4, 4, 3), (1, 0, 4, 3)):
        with pytest.raises(NodeError, match=r"images must be an IMAGE \[batch, height, width, 3\]"):
            save(node, torch.zeros(shape), "x")


def test_saving_leaves_the_images_alone_and_accepts_half_precision(desk: PlainHost) -> None:
    images = torch.rand(1, 4, 4, 3)
    before = images.clone()
    for node in SAVERS:
        save(node, images, "x")
        save(node, images.half(), "x")
        save(node, images[..., :1], "x")
        save(node, torch.rand(1, 4, 4, 4), "x")
    assert torch.equal(images, before)


# --- names that lead elsewhere -------------------------------------------------------------------

OUTSIDE = [
    "../secret.png",
    "../input_secret/secret.png",
    "sub/../../secret.png",
    "./../secret.png",
    "..",
    ".",
    "",
    " ",
    "/etc/passwd",
    "/etc/../etc/passwd",
    "//etc/passwd",
    "~/secret.png",
    "~root/secret.png",
    "..\\secret.png",
    "sub\\..\\..\\secret.png",
    "C:\\secret.png",
    "C:secret.png",
    "c:/secret.png",
    "\\\\server\\share\\secret.png",
    "\\secret.png",
    "\\\\?\\C:\\secret.png",
    "\\\\.\\pipe\\x",
    "CON",
    "con.png",
    "sub/NUL.png",
    "LPT1",
    "com9.tiff",
    "x\0.png",
    "x.png\0",
    "link_file.png",
    "link_folder/secret.png",
    "link_loop.png",
    "link_dangling.png",
    "folder.png",
    "fifo.png",
    "socket.png",
    "../secret.png [input]",
    "../secret.png [output]",
    "../input/inside.png [temp]",
    "/etc/passwd [input]",
    "link_file.png [input]",
    "file:///etc/passwd",
    "https://example.org/x.png",
    "%2e%2e/secret.png",
    "inside.png/../../secret.png",
    "inside.png [secret]",
    "x" * 5000,
    "a/" * 3000 + "x.png",
]


@pytest.fixture
def trapped(desk: PlainHost) -> PlainHost:
    """An input folder full of ways out of it."""
    inputs = desk.folders.inputs[0]
    put(desk, "inside.png", noise(3, 3, 3))
    secret = inputs.parent / "secret.png"
    Image.fromarray(noise(3, 3, 3)).save(secret)
    (inputs.parent / "input_secret").mkdir()
    Image.fromarray(noise(3, 3, 3)).save(inputs.parent / "input_secret" / "secret.png")
    (inputs / "sub").mkdir()
    (inputs / "folder.png").mkdir()
    (inputs / "link_file.png").symlink_to(secret)
    (inputs / "link_folder").symlink_to(inputs.parent)
    (inputs / "link_loop.png").symlink_to(inputs / "link_loop.png")
    (inputs / "link_dangling.png").symlink_to(inputs / "nowhere.png")
    os.mkfifo(inputs / "fifo.png")
    os.mknod(inputs / "socket.png", 0o140644)
    return desk


@pytest.mark.parametrize("name", OUTSIDE, ids=[repr(name[:30]) for name in OUTSIDE])
def test_no_name_leads_out_of_the_input_folder(name: str, trapped: PlainHost) -> None:
    for node in LOADERS:
        problem = node.VALIDATE_INPUTS(name)
        assert isinstance(problem, str) and len(problem) < 700 and problem.isprintable()
        with pytest.raises(NodeError) as raised:
            load(node, name)
        assert str(raised.value) == problem


def test_a_missing_picture_is_named_with_the_folder_searched(desk: PlainHost) -> None:
    with pytest.raises(NodeError, match=r"no picture named 'cat\.png'; looked in .*input"):
        load(LoadImage, "cat.png")


def test_a_damaged_picture_is_named_as_the_graph_names_it(desk: PlainHost) -> None:
    for name, content in (("a.png", b""), ("sub/b.png", b"not a picture"), ("c.jpg", b"\xff\xd8")):
        path = desk.folders.inputs[0] / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        for node in LOADERS:
            assert node.VALIDATE_INPUTS(name) is True  # the check opens no picture
            with pytest.raises(NodeError, match=rf"^{re.escape(name)} is "):
                load(node, name)


def test_an_unreadable_picture_is_refused(desk: PlainHost, monkeypatch: pytest.MonkeyPatch) -> None:
    put(desk, "x.png", noise(2, 2, 3))

    def denied(path: Any, *arguments: Any) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(NodeError, match=r"cannot read x\.png: Permission denied"):
        load(LoadImage, "x.png")


def test_a_fifo_that_takes_the_place_of_a_picture_is_not_waited_for(desk: PlainHost) -> None:
    from nst_graph.style.images import comfy_batch

    path = desk.folders.inputs[0] / "late.png"
    os.mkfifo(path)
    with pytest.raises(NodeError, match=r"late\.png is not a regular file"):
        comfy_batch(path, "late.png")


BAD_PREFIXES = [
    "",
    ".",
    "/",
    "..",
    "../x",
    "../output_secret/x",
    "sub/../../x",
    "/tmp/x",
    "//tmp/x",
    "~/x",
    "~root/x",
    "..\\x",
    "sub\\..\\..\\x",
    "C:\\x",
    "C:x",
    "x:stream",
    "\\\\server\\share\\x",
    "\\x",
    "CON",
    "sub/nul.png",
    "aux/x",
    "x\0y",
    "x\ny",
    "x\x1b]52;c;cm0gLXJm\x07",
    "x\u202egnp.exe",
    "%width%/../../x",
    "../%year%",
    "x" * 300,
    "%date:../%x",
]


@pytest.mark.parametrize("prefix", BAD_PREFIXES, ids=[repr(p[:30]) for p in BAD_PREFIXES])
def test_no_prefix_leads_out_of_the_output_folder(prefix: str, desk: PlainHost) -> None:
    before = sorted(desk.folders.output.parent.rglob("*"))
    for node, arguments in ((SaveImage, ()), (NSTSaveImage, ("png", 8))):
        problem = node.VALIDATE_INPUTS(prefix, *arguments)
        assert isinstance(problem, str) and problem.isprintable()
        with pytest.raises(NodeError, match="does not name a file inside the output folder"):
            save(node, torch.rand(1, 2, 2, 3), prefix)
    assert sorted(desk.folders.output.parent.rglob("*")) == before


def test_a_link_in_the_output_folder_is_not_followed_out_of_it(desk: PlainHost) -> None:
    desk.folders.output.mkdir()
    (desk.folders.output / "away").symlink_to(desk.folders.output.parent)
    (desk.folders.output / "loop").symlink_to("loop")
    for node in SAVERS:
        with pytest.raises(NodeError, match="'away/x' leads out of the output folder"):
            save(node, torch.rand(1, 2, 2, 3), "away/x")
        with pytest.raises(NodeError, match="loop"):
            save(node, torch.rand(1, 2, 2, 3), "loop/x")


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("x", ("", "x")),
        ("a/b/x", ("a/b", "x")),
        ("a\\b\\x", ("a/b", "x")),
        ("a//b/./x", ("a/b", "x")),
        ("a/x/", ("a", "x")),
        ("ünï 日本", ("", "ünï 日本")),
        (".hidden", ("", ".hidden")),
        ("100%", ("", "100%")),
    ],
)
def test_ordinary_prefixes(prefix: str, expected: tuple[str, str]) -> None:
    assert split_prefix(prefix) == expected
    assert SaveImage.VALIDATE_INPUTS(prefix) is True
    assert SaveImage.VALIDATE_INPUTS(None) is True


# --- when the disk does not cooperate ------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.EMFILE])
@pytest.mark.parametrize("node", SAVERS)
def test_a_failing_disk_is_one_clear_error_and_leaves_nothing(
    node: type, code: int, desk: PlainHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.folders.output.mkdir()

    def fails(*arguments: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files.os, "fsync", fails)
    with pytest.raises(NodeError) as raised:
        save(node, torch.rand(1, 2, 2, 3), "x")
    message = str(raised.value)
    assert message.startswith("cannot write ") and os.strerror(code) in message
    assert ("free some space" in message) == (code == errno.ENOSPC)
    assert list(desk.folders.output.iterdir()) == []


@pytest.mark.parametrize("node", SAVERS)
def test_an_unusable_output_folder_is_one_clear_error(node: type, desk: PlainHost) -> None:
    desk.folders.output.touch()  # a file where the folder should be
    with pytest.raises(NodeError, match=r"cannot write .*output"):
        save(node, torch.rand(1, 2, 2, 3), "x")
    with pytest.raises(NodeError, match=r"cannot write .*output"):
        save(node, torch.rand(1, 2, 2, 3), "sub/x")


def test_pictures_saved_before_the_disk_was_full_stay(
    desk: PlainHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish, done = files.publish, []

    def full_after_two(*arguments: Any) -> Path:
        if len(done) == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done.append(publish(*arguments))
        return done[-1]

    def publishing(*arguments: Any) -> Path:
        try:
            return full_after_two(*arguments)
        except OSError as error:
            raise files.UserError(f"cannot write: {error.strerror}") from error

    monkeypatch.setattr(files, "publish", publishing)
    with pytest.raises(NodeError, match="No space left"):
        save(SaveImage, torch.rand(4, 2, 2, 3), "x")
    assert sorted(desk.folders.output.iterdir()) == sorted(done) and len(done) == 2


# --- wrong settings ------------------------------------------------------------------------------


def test_depth_and_format_are_checked_before_the_run() -> None:
    problem = NSTSaveImage.VALIDATE_INPUTS("x", "jpeg", 16)
    assert problem == "jpeg has 8 bits per channel; use png or tiff for 16"
    assert NSTSaveImage.VALIDATE_INPUTS("x", "png", 12) == "bits is 12; choose 8 or 16"
    assert "unknown format" in str(NSTSaveImage.VALIDATE_INPUTS("x", "gif", 8))
    assert NSTSaveImage.VALIDATE_INPUTS(None, None, None) is True
