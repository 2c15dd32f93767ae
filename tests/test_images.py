"""Reading and writing pictures, below the nodes."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms
from torch import Tensor

from nst_graph.errors import NodeError
from nst_graph.style.deep import png16, tiff16
from nst_graph.style.encode import Saving, comfy_png, encoded
from nst_graph.style.images import comfy_batch, comfy_channel, open_picture
from nst_graph.style.picture import Picture, read_picture
from nst_graph.style.profiles import srgb_profile


def noise(*shape: int, seed: int = 0, kind: type = np.uint8) -> NDArray[np.generic]:
    return np.random.default_rng(seed).integers(0, np.iinfo(kind).max, shape, dtype=kind)


def file_of(image: Image.Image, format: str, folder: Path, **options: object) -> Path:
    path = folder / f"picture.{format.lower()}"
    image.save(path, format, **options)  # type: ignore[arg-type]
    return path


def read(image: Image.Image, format: str, folder: Path, **options: object) -> Picture:
    return read_picture(file_of(image, format, folder, **options), "p")


def levels(x: Tensor, white: int = 255) -> NDArray[np.float64]:
    """Values in units of one level."""
    return x.double().numpy() * white


# --- reading precisely ---------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF", "WEBP"])
def test_eight_bit_colour_is_read_as_it_is(format: str, tmp_path: Path) -> None:
    samples = noise(7, 9, 3)
    options = {"lossless": True} if format == "WEBP" else {}
    picture = read(Image.fromarray(samples), format, tmp_path, **options)
    np.testing.assert_allclose(levels(picture.rgb), samples, atol=1e-4)
    assert picture.alpha is None and picture.notes == ()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(orientation: int, tmp_path: Path) -> None:
    scene = noise(6, 4, 3)  # what a viewer should show
    stored = {
        1: scene,
        2: scene[:, ::-1],
        3: scene[::-1, ::-1],
        4: scene[::-1],
        5: scene.transpose(1, 0, 2),
        6: np.rot90(scene, 1),
        7: np.rot90(scene.transpose(1, 0, 2), 2),
        8: np.rot90(scene, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored))
    picture = read(image, "PNG", tmp_path, exif=exif)
    np.testing.assert_allclose(levels(picture.rgb), scene, atol=1e-4)
    batch, _ = comfy_batch(file_of(image, "PNG", tmp_path, exif=exif), "p")
    np.testing.assert_allclose(levels(batch[0]), scene, atol=1e-4)


@pytest.mark.parametrize("orientation", [0, 9, 255, 65535])
def test_orientations_that_mean_nothing_are_ignored(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    samples = noise(6, 4, 3)
    picture = read(Image.fromarray(samples), "PNG", tmp_path, exif=exif)
    np.testing.assert_allclose(levels(picture.rgb), samples, atol=1e-4)


def test_unreadable_exif_is_ignored(tmp_path: Path) -> None:
    samples = noise(6, 4, 3)
    exif = b"Exif\0\0II*\0\xff\xff\xff\xffgarbage"
    picture = read(Image.fromarray(samples), "PNG", tmp_path, exif=exif)
    np.testing.assert_allclose(levels(picture.rgb), samples, atol=1e-4)


def swapped_profile() -> bytes:
    """An RGB profile whose red and green primaries are exchanged: unmistakable when applied."""
    profile = srgb_profile()
    return profile.replace(b"rXYZ", b"xxxx").replace(b"gXYZ", b"rXYZ").replace(b"xxxx", b"gXYZ")


def test_colours_follow_the_profile_unless_told_to_keep_the_numbers(tmp_path: Path) -> None:
    red = Image.new("RGB", (4, 3), (255, 0, 0))
    path = file_of(red, "PNG", tmp_path, icc_profile=swapped_profile())
    np.testing.assert_allclose(levels(read_picture(path, "p").rgb)[0, 0], [0, 255, 0], atol=3)
    kept = read_picture(path, "p", srgb=False)
    np.testing.assert_allclose(levels(kept.rgb)[0, 0], [255, 0, 0], atol=1e-4)


def test_an_srgb_profile_changes_no_level(tmp_path: Path) -> None:
    samples = noise(20, 20, 3)
    other_srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = read(Image.fromarray(samples), "PNG", tmp_path, icc_profile=other_srgb)
    np.testing.assert_allclose(levels(picture.rgb), samples, atol=1e-4)


@pytest.mark.parametrize("profile", [b"no profile at all", srgb_profile()[:300], b"\0" * 128])
def test_a_broken_profile_is_noted_and_ignored(profile: bytes, tmp_path: Path) -> None:
    samples = noise(5, 5, 3)
    picture = read(Image.fromarray(samples), "JPEG", tmp_path, icc_profile=profile, quality=100)
    (note,) = picture.notes
    assert note.startswith("p: its colour profile was ignored (it cannot be ")
    plain = read(Image.fromarray(samples), "JPEG", tmp_path, quality=100)
    assert torch.equal(picture.rgb, plain.rgb)


def test_a_profile_for_another_kind_of_picture_is_noted_and_ignored(tmp_path: Path) -> None:
    gray = Image.fromarray(noise(5, 5))
    picture = read(gray, "PNG", tmp_path, icc_profile=srgb_profile())
    assert picture.notes == ("p: its colour profile was ignored (it is made for RGB pictures)",)
    np.testing.assert_allclose(levels(picture.rgb)[..., 1], np.asarray(gray), atol=1e-4)


def test_gray_becomes_three_equal_channels(tmp_path: Path) -> None:
    samples = noise(5, 6)
    picture = read(Image.fromarray(samples), "PNG", tmp_path)
    np.testing.assert_allclose(levels(picture.rgb), np.stack([samples] * 3, -1), atol=1e-4)


def test_black_and_white_is_black_and_white(tmp_path: Path) -> None:
    samples = noise(5, 6) > 127
    picture = read(Image.fromarray(samples), "PNG", tmp_path)
    np.testing.assert_array_equal(picture.rgb[..., 0].numpy(), samples)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bit_gray_keeps_its_precision(format: str, tmp_path: Path) -> None:
    samples = noise(9, 7, kind=np.uint16)
    picture = read(Image.fromarray(samples), format, tmp_path)
    np.testing.assert_allclose(levels(picture.rgb[..., 2], 65535), samples, atol=0.01)


@pytest.mark.parametrize("write", [png16, tiff16])
@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bit_colour_keeps_its_precision(
    write: Callable[..., bytes], channels: int, tmp_path: Path
) -> None:
    samples = noise(9, 7, channels, kind=np.uint16)
    path = tmp_path / "deep"
    path.write_bytes(write(samples))
    picture = read_picture(path, "p")
    np.testing.assert_allclose(levels(picture.rgb, 65535), samples[..., :3], atol=0.01)
    if channels == 4:
        assert picture.alpha is not None
        np.testing.assert_allclose(levels(picture.alpha, 65535), samples[..., 3], atol=0.01)


def test_float_pictures_are_taken_as_they_are_or_scaled_to_their_brightest(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((5, 6), dtype=np.float32)
    picture = read(Image.fromarray(values), "TIFF", tmp_path)
    np.testing.assert_allclose(picture.rgb[..., 0].numpy(), values)
    values[0, 0], values[1, 1] = 8.0, np.nan
    picture = read(Image.fromarray(values), "TIFF", tmp_path)
    assert picture.notes == ("p: its brightest value, 8, was taken for white",)
    assert float(picture.rgb[1, 1, 0]) == 0 and float(picture.rgb.max()) == 1


def test_alpha_is_kept_in_every_way_that_files_hold_it(tmp_path: Path) -> None:
    rgba = noise(6, 5, 4)
    picture = read(Image.fromarray(rgba), "PNG", tmp_path)
    assert picture.alpha is not None
    np.testing.assert_allclose(levels(picture.alpha), rgba[..., 3], atol=1e-4)
    np.testing.assert_allclose(levels(picture.rgb), rgba[..., :3], atol=1e-4)

    la = noise(6, 5, 2)
    picture = read(Image.fromarray(la, "LA"), "PNG", tmp_path)
    assert picture.alpha is not None
    np.testing.assert_allclose(levels(picture.alpha), la[..., 1], atol=1e-4)
    np.testing.assert_allclose(levels(picture.rgb)[..., 0], la[..., 0], atol=1e-4)

    palette = Image.fromarray(noise(6, 5) % 4)
    palette = palette.convert("P")
    palette.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    indices = np.asarray(palette)
    picture = read(palette, "PNG", tmp_path, transparency=2)
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha.numpy(), (indices != 2).astype(np.float32))
    np.testing.assert_allclose(
        levels(picture.rgb)[indices == 1], [[0, 255, 0]] * (indices == 1).sum()
    )

    gray16 = noise(6, 5, kind=np.uint16)
    key = int(gray16[2, 3])
    picture = read(Image.fromarray(gray16), "PNG", tmp_path, transparency=key)
    assert picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha.numpy(), (gray16 != key).astype(np.float32))


def test_cmyk_and_lab_become_rgb(tmp_path: Path) -> None:
    cmyk = Image.new("CMYK", (8, 8), (0, 255, 255, 0))  # magenta and yellow ink: red
    red = levels(read(cmyk, "TIFF", tmp_path).rgb)[0, 0]
    assert red[0] > 200 and max(red[1:]) < 60
    assert levels(read(cmyk, "JPEG", tmp_path, quality=100).rgb)[0, 0, 0] > 200
    lab = Image.new("LAB", (8, 8), (138, 128, 128))  # L* = 54.1, neutral: about 50 % gray of sRGB
    gray = levels(read(lab, "TIFF", tmp_path).rgb)[0, 0]
    np.testing.assert_allclose(gray, [130] * 3, atol=4)


def animation(folder: Path, format: str = "PNG") -> tuple[Path, list[NDArray[np.generic]]]:
    scenes = [np.full((4, 5, 3), level, np.uint8) for level in (10, 100, 200)]
    first, *rest = [Image.fromarray(scene) for scene in scenes]
    options = {"lossless": True} if format == "WEBP" else {}
    path = file_of(first, format, folder, save_all=True, append_images=rest, **options)
    return path, scenes


@pytest.mark.parametrize("format", ["PNG", "GIF", "WEBP", "TIFF"])
def test_any_frame_of_an_animation_can_be_had(format: str, tmp_path: Path) -> None:
    path, scenes = animation(tmp_path, format)
    for index, scene in enumerate(scenes):
        np.testing.assert_allclose(levels(read_picture(path, "p", index).rgb), scene, atol=1e-4)
    with pytest.raises(NodeError, match="p has no frame 3; its frames are 0 to 2"):
        read_picture(path, "p", 3)


def test_a_still_picture_has_frame_0_only(tmp_path: Path) -> None:
    path = file_of(Image.new("RGB", (3, 3)), "JPEG", tmp_path)
    with pytest.raises(NodeError, match=r"no frame 1; it is a still picture \(frame 0\)"):
        read_picture(path, "p", 1)


# --- ComfyUI's way of reading --------------------------------------------------------------------


def test_a_batch_holds_the_frames_as_large_as_the_first(tmp_path: Path) -> None:
    sizes = [(5, 4), (5, 4), (6, 4), (5, 4)]
    frames = [Image.new("RGB", size, (index * 50,) * 3) for index, size in enumerate(sizes)]
    path = file_of(frames[0], "TIFF", tmp_path, save_all=True, append_images=frames[1:])
    images, masks = comfy_batch(path, "p")
    assert images.shape == (3, 4, 5, 3) and masks.shape == (3, 64, 64)
    np.testing.assert_allclose(levels(images)[:, 0, 0, 0], [0, 50, 150], atol=1e-4)


def test_when_only_some_frames_are_transparent_all_masks_have_one_size(tmp_path: Path) -> None:
    opaque, clear = Image.new("RGB", (5, 4), "red"), Image.new("RGBA", (5, 4), (0, 0, 255, 0))
    path = file_of(opaque, "TIFF", tmp_path, save_all=True, append_images=[clear])
    images, masks = comfy_batch(path, "p")
    assert images.shape == (2, 4, 5, 3) and masks.shape == (2, 4, 5)
    assert float(masks[0].max()) == 0 and float(masks[1].min()) == 1


def test_of_a_multi_picture_jpeg_the_first_picture_counts(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (8, 8), "white"), Image.new("RGB", (8, 8), "black")
    path = file_of(first, "MPO", tmp_path, save_all=True, append_images=[second])
    images, _ = comfy_batch(path, "p")
    assert images.shape == (1, 8, 8, 3) and float(images.min()) == 1


def test_a_32_bit_picture_is_divided_by_255_as_comfyui_does(tmp_path: Path) -> None:
    values = np.array([[0, 255, 2550, 65535]], np.int32)
    images, _ = comfy_batch(file_of(Image.fromarray(values), "TIFF", tmp_path), "p")
    np.testing.assert_allclose(levels(images)[0, 0, :, 0], [0, 1, 10, 255], atol=1e-4)


def test_a_mask_is_one_channel_and_alpha_is_inverted(tmp_path: Path) -> None:
    rgba = noise(6, 5, 4)
    path = file_of(Image.fromarray(rgba), "PNG", tmp_path)
    for index, channel in enumerate(("red", "green", "blue")):
        found = comfy_channel(path, "p", channel)
        assert found.shape == (1, 6, 5)
        np.testing.assert_allclose(levels(found)[0], rgba[..., index], atol=1e-4)
    inverted = comfy_channel(path, "p", "alpha")
    np.testing.assert_allclose(levels(inverted)[0], 255 - rgba[..., 3].astype(int), atol=1e-4)
    opaque = file_of(Image.fromarray(rgba[..., :3].copy()), "BMP", tmp_path)
    assert torch.equal(comfy_channel(opaque, "p", "alpha"), torch.zeros(1, 6, 5))


# --- what is refused -----------------------------------------------------------------------------


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def declared(format: str, width: int, height: int) -> bytes:
    """A small file whose header promises ``width`` x ``height`` pixels."""
    if format == "PNG":
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99)))
        return b"\x89PNG\r\n\x1a\n" + data + chunk(b"IEND", b"")
    if format == "TIFF":
        tags = ((256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1))
        entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags]
        return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + b"".join(entries) + bytes(4)
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, format.split()[0], lossless=format == "WEBP lossless")
    data = bytearray(buffer.getvalue())
    if format == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", height, width)
    elif format == "GIF":
        data[6:10] = struct.pack("<HH", width, height)
    elif format == "BMP":
        data[18:26] = struct.pack("<ii", width, height)
    elif format == "WEBP":
        data[26:30] = struct.pack("<HH", width, height)
    elif format == "WEBP lossless":
        data[21:25] = ((width - 1) | (height - 1) << 14).to_bytes(4, "little")
    else:
        sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        data[12:12] = b"VP8X" + struct.pack("<I", 10) + bytes(4) + sides
    return bytes(data)


BOMBS = ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "WEBP lossless", "WEBP extended"]


@pytest.mark.parametrize("format", BOMBS)
def test_a_pixel_bomb_is_refused_by_its_header(format: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(declared(format, 16000, 16001))
    with pytest.raises(NodeError, match=r"bomb has 16000x16001 = 256\.0 megapixels, more than"):
        comfy_batch(path, "bomb")
    with pytest.raises(NodeError, match="NST_MAX_MEGAPIXELS"):
        read_picture(path, "bomb")


def test_refusing_bombs_takes_neither_memory_nor_time(tmp_path: Path) -> None:
    for format in BOMBS:
        (tmp_path / format).write_bytes(declared(format, 16000, 16001))
    script = """
        import sys, time, psutil
        from pathlib import Path
        from nst_graph.errors import NodeError
        from nst_graph.style.images import open_picture
        from PIL import Image
        Image.init()
        me = psutil.Process()
        for path in sorted(Path(sys.argv[1]).iterdir()):
            before, start = me.memory_info().rss, time.perf_counter()
            try:
                with open_picture(path):
                    print("opened", path)
            except NodeError:
                pass
            spent = time.perf_counter() - start
            grown = (me.memory_info().rss - before) / 2**20
            if spent > 0.05 or grown > 20:
                print(path, spent, grown)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""


def test_the_limit_can_be_raised_and_lowered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p.png"
    path.write_bytes(declared("PNG", 20000, 20000))  # 400 MP: beyond Pillow's own limit, too
    monkeypatch.setenv("NST_MAX_MEGAPIXELS", "500")
    with open_picture(path) as image:
        assert image.size == (20000, 20000)
    monkeypatch.setenv("NST_MAX_MEGAPIXELS", "0.0001")
    small = file_of(Image.new("RGB", (11, 10)), "PNG", tmp_path)
    with pytest.raises(NodeError, match=r"more than the limit of 0\.0001"):
        comfy_batch(small, "p")
    for nonsense in ("many", "-1", "nan", "0", "inf"):
        monkeypatch.setenv("NST_MAX_MEGAPIXELS", nonsense)
        with pytest.raises(NodeError, match="NST_MAX_MEGAPIXELS is"):
            comfy_batch(small, "p")


def test_the_frames_of_an_animation_count_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = animation(tmp_path)
    monkeypatch.setenv("NST_MAX_MEGAPIXELS", "0.00005")
    with pytest.raises(NodeError, match=r"5x4 in 3 frames"):
        comfy_batch(path, "p")
    assert read_picture(path, "p", 2).rgb.shape == (4, 5, 3)


@pytest.mark.parametrize("where", [b"IDAT", b"IEND"])
@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_a_text_bomb_is_refused(kind: bytes, where: bytes, tmp_path: Path) -> None:
    packed = zlib.compress(bytes(50 << 20), 9)
    head = {b"zTXt": b"k\0\0", b"iTXt": b"k\0\1\0\0\0", b"iCCP": b"k\0\0"}[kind]
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    data = buffer.getvalue()
    at = data.index(where) - 4
    path = tmp_path / "bomb.png"
    path.write_bytes(data[:at] + chunk(kind, head + packed) + data[at:])
    with pytest.raises(NodeError, match=r"bomb.png is damaged and cannot be read: Decompressed"):
        comfy_batch(path, "bomb.png")


FORMATS = ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"]


@pytest.mark.parametrize("format", FORMATS)
def test_a_truncated_picture_is_refused_by_name(format: str, tmp_path: Path) -> None:
    path = file_of(Image.fromarray(noise(40, 40, 3)), format, tmp_path)
    data = path.read_bytes()
    for share in (0.3, 0.6, 0.9):
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(NodeError, match=r"^p (is damaged|is not a picture)"):
            comfy_batch(path, "p")


@pytest.mark.parametrize(
    "content",
    [b"x", b"{}", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"8BPS\0\1" + bytes(40)],
    ids=["byte", "json", "signature", "eps", "psd"],
)
def test_what_is_no_picture_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(NodeError, match=r"^p is not a picture that can be read \(PNG, JPEG"):
        comfy_batch(path, "p")


def test_an_empty_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.touch()
    with pytest.raises(NodeError, match=r"^p is empty \(0 bytes\)"):
        read_picture(path, "p")


def test_other_formats_of_pillow_are_never_opened(tmp_path: Path) -> None:
    path = file_of(Image.new("RGB", (8, 8)), "TGA", tmp_path)
    ppm = file_of(Image.new("RGB", (8, 8)), "PPM", tmp_path)
    for other in (path, ppm):
        with pytest.raises(NodeError, match="is not a picture that can be read"):
            comfy_batch(other, "p")


def test_damaged_pictures_load_or_are_refused_but_never_break(tmp_path: Path) -> None:
    source, draw = Image.fromarray(noise(9, 8, 3)), random.Random(0)
    seeds = [file_of(source, format, tmp_path).read_bytes() for format in FORMATS]
    seeds += [png16(noise(9, 8, 4, kind=np.uint16)), tiff16(noise(9, 8, 3, kind=np.uint16))]
    path = tmp_path / "mutant"
    outcomes = set()
    for _ in range(400):
        data = bytearray(draw.choice(seeds))
        for _ in range(draw.choice((1, 1, 3, 20))):
            data[draw.randrange(len(data))] = draw.randrange(256)
        del data[draw.randrange(1, 4 * len(data)) :]
        path.write_bytes(data)
        try:
            assert read_picture(path, "p").rgb.isfinite().all()
            outcomes.add("read")
        except NodeError as error:
            assert str(error).startswith("p ")
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


# --- writing -------------------------------------------------------------------------------------


def no_note(message: str) -> None:
    raise AssertionError(message)


def save(frame: Tensor, folder: Path, saving: Saving, alpha: Tensor | None = None) -> Path:
    path = folder / "out"
    path.write_bytes(encoded(frame, alpha, saving, no_note))
    return path


def test_comfyui_pngs_cut_off_and_ours_round() -> None:
    frame = torch.tensor([0.0, 0.5, 0.999, 1.0, -1.0, 2.0])[None, :, None].expand(1, 6, 3)

    def samples(data: bytes) -> list[int]:
        return list(np.asarray(Image.open(io.BytesIO(data)))[0, :, 0])

    assert samples(comfy_png(frame, {})) == [0, 127, 254, 255, 0, 255]
    assert samples(encoded(frame, None, Saving(), no_note)) == [0, 128, 255, 255, 0, 255]


def test_values_that_are_not_numbers_are_saved_as_black() -> None:
    frame = torch.full((1, 1, 3), float("nan"))
    for data in (comfy_png(frame, {}), encoded(frame, None, Saving(), no_note)):
        assert np.asarray(Image.open(io.BytesIO(data))).max() == 0


def unfiltered(data: bytes, width: int, height: int, step: int) -> bytes:
    """The PNG specification's reconstruction, byte by byte."""
    rows, above = [], bytes(width * step)
    for row in range(height):
        start = row * (1 + width * step)
        kind, source = data[start], data[start + 1 : start + 1 + width * step]
        done = bytearray()
        for i, value in enumerate(source):
            a = done[i - step] if i >= step else 0
            b, c = above[i], above[i - step] if i >= step else 0
            p = a + b - c
            paeth = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            done.append((value + (0, a, b, (a + b) // 2, paeth)[kind]) % 256)
        rows.append(bytes(done))
        above = bytes(done)
    return b"".join(rows)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(0, 9999))
def test_a_16_bit_png_decodes_by_the_specification(
    height: int, width: int, channels: int, seed: int
) -> None:
    samples = noise(height, width, channels, seed=seed, kind=np.uint16)
    data, found, at = png16(samples, {"prompt": "{}"}, srgb_profile()), {}, 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body = data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length :][:4])[0] == zlib.crc32(kind + body)
        found[kind] = found.get(kind, b"") + body
        at += 12 + length
    assert list(found) == [b"IHDR", b"iCCP", b"tEXt", b"IDAT", b"IEND"]
    assert found[b"tEXt"] == b"prompt\0{}"
    raw = unfiltered(zlib.decompress(found[b"IDAT"]), width, height, 2 * channels)
    assert np.array_equal(np.frombuffer(raw, ">u2").reshape(samples.shape), samples)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("write", [png16, tiff16])
def test_16_bit_files_open_in_pillow_with_profile_and_text(
    write: Callable[..., bytes], channels: int
) -> None:
    samples = noise(300, 700, channels, kind=np.uint16)
    text = {"prompt": "{}"} if write is png16 else {0x0110: "prompt:{}"}
    image = Image.open(io.BytesIO(write(samples, text, srgb_profile())))
    image.load()
    assert image.size == (700, 300) and image.info["icc_profile"] == srgb_profile()
    shown = np.asarray(image)
    expected = samples[..., 0] if channels == 1 else samples >> 8
    assert np.array_equal(shown.reshape(expected.shape), expected)
    if write is png16:
        assert image.text == {"prompt": "{}"}  # type: ignore[attr-defined]
    else:
        assert image.getexif()[0x0110] == "prompt:{}"


@pytest.mark.parametrize("format", ["png", "tiff"])
@pytest.mark.parametrize("bits", [8, 16])
def test_lossless_files_come_back_to_within_half_a_level(
    format: str, bits: int, tmp_path: Path
) -> None:
    frame, alpha = torch.rand(13, 11, 3), torch.rand(13, 11)
    picture = read_picture(save(frame, tmp_path, Saving(format, bits), alpha), "p")
    half = 0.5 / (2**bits - 1) + 1e-7
    assert torch.allclose(picture.rgb, frame, rtol=0, atol=half)
    assert picture.alpha is not None
    assert torch.allclose(picture.alpha, alpha, rtol=0, atol=half)


def test_quality_100_makes_webp_lossless(tmp_path: Path) -> None:
    frame, alpha = torch.from_numpy(noise(9, 9, 3) / np.float32(255)), torch.rand(9, 9)
    picture = read_picture(save(frame, tmp_path, Saving("webp", quality=100), alpha), "p")
    assert torch.allclose(picture.rgb, frame, atol=1e-6)


def test_jpegs_are_written_without_colour_subsampling(tmp_path: Path) -> None:
    path = save(torch.rand(16, 16, 3), tmp_path, Saving("jpeg"))
    with Image.open(path) as image:
        assert [layer[1:3] for layer in image.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]
    large = path.stat().st_size
    assert save(torch.rand(16, 16, 3), tmp_path, Saving("jpeg", quality=30)).stat().st_size < large


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "tiff"])
def test_every_format_carries_profile_and_graph(format: str, tmp_path: Path) -> None:
    text = {"prompt": '{"1": 2}', "workflow": "{}", "nst": "[]"}
    with Image.open(save(torch.rand(8, 8, 3), tmp_path, Saving(format, text=text))) as image:
        assert image.info["icc_profile"] == srgb_profile()
        if format == "png":
            assert image.text == text  # type: ignore[attr-defined]
        else:
            tags = image.getexif()
            found = (tags[0x0110], tags[0x010F], tags[0x010E])
            assert found == ('prompt:{"1": 2}', "workflow:{}", "nst:[]")
    with Image.open(save(torch.rand(8, 8, 3), tmp_path, Saving(format, icc=False))) as image:
        assert "icc_profile" not in image.info


def test_a_graph_too_large_for_exif_is_left_out_with_a_note() -> None:
    notes: list[str] = []
    text = {"prompt": "{}", "workflow": "x" * 70_000}
    data = encoded(torch.rand(4, 4, 3), None, Saving("jpeg", text=text), notes.append)
    assert Image.open(io.BytesIO(data)).getexif()[0x0110] == "prompt:{}"
    assert notes == ["the workflow is too large to be embedded in this format; use png to keep it"]


def test_the_same_picture_is_the_same_bytes() -> None:
    frame = torch.rand(8, 8, 3)
    for saving in (Saving("png"), Saving("png", 16), Saving("tiff"), Saving("jpeg")):
        first = encoded(frame, None, saving, no_note)
        srgb_profile.cache_clear()
        assert encoded(frame, None, saving, no_note) == first


def test_jpeg_leaves_transparency_out_with_a_note() -> None:
    notes: list[str] = []
    data = encoded(torch.rand(4, 4, 4), None, Saving("jpeg"), notes.append)
    assert Image.open(io.BytesIO(data)).mode == "RGB"
    assert notes == ["jpeg has no transparency; the picture was saved without it"]


def test_a_format_says_what_it_cannot_hold() -> None:
    with pytest.raises(NodeError, match="jpeg has 8 bits per channel; use png or tiff for 16"):
        encoded(torch.rand(4, 4, 3), None, Saving("jpeg", 16), no_note)
    with pytest.raises(NodeError, match="unknown format 'gif'"):
        encoded(torch.rand(4, 4, 3), None, Saving("gif"), no_note)
    with pytest.raises(NodeError, match="bits is 12; choose 8 or 16"):
        encoded(torch.rand(4, 4, 3), None, Saving("png", 12), no_note)
    with pytest.raises(NodeError, match="webp ends at 16383 pixels a side, the picture is 16384x1"):
        encoded(torch.rand(1, 16384, 3), None, Saving("webp"), no_note)
