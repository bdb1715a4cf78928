# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures are read as they are meant, and written whole or not at all."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from PIL import Image, ImageCms

from lifelike.imaging.colour import to_display
from lifelike.imaging.files import read_picture, write_picture
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Encoding

LINEAR = Encoding("scene_linear")


def colours(channels=3, shape=(9, 14), seed=2):
    return np.random.default_rng(seed).integers(0, 256, (*shape, channels), np.uint8)


def scene(channels=3, dtype=np.float32):
    values = np.random.default_rng(4).uniform(0, 6, (9, 14, channels)).astype(dtype)
    if channels == 4:
        values[:, :, 3] = np.clip(values[:, :, 3], 0, 1)
    return values


def exr(path, names, values, **attributes):
    """Writes an EXR file with OpenImageIO itself. values: (H, W, len(names)) float16 or float32."""
    spec = oiio.ImageSpec(values.shape[1], values.shape[0], len(names), "half" if values.itemsize == 2 else "float")
    spec.channelnames = names
    for name, value in attributes.items():
        setattr(spec, name, value)
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), spec), output.geterror()
    assert output.write_image(values)
    output.close()


def refusal(call, *arguments, **options):
    with pytest.raises(LifelikeError) as refused:
        call(*arguments, **options)
    assert refused.value.remedy
    return refused.value


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("name", ["a.png", "a.tif", "A.TIFF"])
def test_bytes_return_bit_for_bit(tmp_path, name, channels):
    pixels = colours(channels)
    write_picture(tmp_path / name, pixels, Encoding())
    frame = read_picture(tmp_path / name)
    assert frame.encoding == Encoding()
    assert frame.pixels.dtype == np.uint8
    np.testing.assert_array_equal(frame.pixels, pixels)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bits_keep_their_steps(tmp_path, name, channels):
    pixels = (np.random.default_rng(1).integers(0, 65536, (9, 14, channels)) / 65535).astype(np.float32)
    write_picture(tmp_path / name, pixels, Encoding())
    frame = read_picture(tmp_path / name)
    assert frame.encoding.kind == "display"
    assert frame.pixels.dtype == np.float32
    np.testing.assert_allclose(frame.pixels, pixels, atol=1e-6)


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("name", ["a.exr", "a.tif"])
def test_scene_linear_pixels_return_bit_for_bit(tmp_path, name, dtype, channels):
    pixels = scene(channels, dtype)
    write_picture(tmp_path / name, pixels, LINEAR)
    frame = read_picture(tmp_path / name)
    assert frame.encoding.kind == "scene_linear"
    # TIFF has no half precision of its own: it becomes float, with the same values.
    assert frame.pixels.dtype == (np.float32 if name == "a.tif" else dtype)
    np.testing.assert_array_equal(frame.pixels, pixels)


def test_jpeg_is_close_and_drops_alpha_onto_black(tmp_path):
    pixels = np.full((32, 32, 4), 200, np.uint8)
    pixels[:, :, 3] = np.where(np.arange(32) < 16, 255, 0)
    write_picture(tmp_path / "a.jpg", pixels, Encoding())
    frame = read_picture(tmp_path / "a.jpg")
    assert frame.pixels.shape == (32, 32, 3)
    assert abs(int(frame.pixels[16, 4, 0]) - 200) < 4
    assert frame.pixels[16, 28].max() < 8


def test_scene_linear_goes_through_its_view_into_a_png(tmp_path):
    pixels = scene()
    encoding = Encoding("scene_linear", exposure=-1.0)
    write_picture(tmp_path / "a.png", pixels, encoding, depth="uint8")
    np.testing.assert_allclose(
        read_picture(tmp_path / "a.png").pixels / 255, to_display(pixels, encoding), atol=0.6 / 255
    )


def test_a_photograph_becomes_linear_in_an_exr(tmp_path):
    pixels = colours(4)
    write_picture(tmp_path / "a.exr", pixels, Encoding())
    frame = read_picture(tmp_path / "a.exr")
    assert frame.encoding.kind == "scene_linear"
    alpha = pixels[:, :, 3:] / 255
    np.testing.assert_allclose(frame.pixels[:, :, 3:], alpha, atol=1e-3)
    seen = to_display(frame.pixels[:, :, :3] / np.maximum(alpha, 1e-3), Encoding("scene_linear"))
    clear = (alpha > 0.1).repeat(3, axis=2)
    np.testing.assert_allclose(seen[clear], (pixels[:, :, :3] / 255)[clear], atol=5e-3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpg", "16 bit tif"])
def test_an_embedded_orientation_is_carried_out(tmp_path, kind, orientation):
    upright = np.zeros((24, 40, 3), np.uint8)
    upright[:8, :8] = (255, 0, 0)
    upright[:8, -8:] = (0, 255, 0)
    # The stored pixels that this orientation turns into the upright ones.
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: upright.transpose(1, 0, 2)[::-1],
        7: upright.transpose(1, 0, 2)[::-1, ::-1], 8: upright.transpose(1, 0, 2)[:, ::-1],
    }[orientation]  # fmt: skip
    path = tmp_path / f"a.{kind.split()[-1]}"
    if kind == "jpg":
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(np.ascontiguousarray(stored)).save(path, quality=95, subsampling=0, exif=exif)
    else:
        spec = oiio.ImageSpec(stored.shape[1], stored.shape[0], 3, "uint16")
        spec.attribute("Orientation", orientation)
        output = oiio.ImageOutput.create(str(path))
        assert output.open(str(path), spec)
        assert output.write_image(np.ascontiguousarray(stored).astype(np.uint16) * 257)
        output.close()
    pixels = read_picture(path).pixels
    seen = pixels if pixels.dtype == np.uint8 else pixels * 255
    assert np.abs(seen.astype(float) - upright).mean() < 4


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "CMYK", "I;16"])
def test_other_colour_modes_become_rgb(tmp_path, mode):
    grey = np.linspace(20, 230, 16 * 16).astype(np.uint8).reshape(16, 16)
    if mode == "I;16":
        Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "a.png")
    elif mode == "CMYK":
        Image.fromarray(grey).convert("RGB").convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    elif mode == "P":
        Image.fromarray(grey).convert("RGB").quantize(128).save(tmp_path / "a.png")
    else:
        Image.fromarray(grey).convert(mode).save(tmp_path / "a.png")
    (file,) = tmp_path.iterdir()
    pixels = read_picture(file).pixels
    assert pixels.shape == (16, 16, 4 if mode == "LA" else 3)
    values = pixels[:, :, :3] if pixels.dtype == np.uint8 else pixels[:, :, :3] * 255
    assert (values[:, :, 0] == values[:, :, 1]).mean() > 0.5
    tolerance = 130 if mode == "1" else 12
    assert np.abs(values.mean(axis=2) - grey).max() < tolerance or mode == "1"


def test_a_transparent_palette_keeps_its_transparency(tmp_path):
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([0, 0, 0, 250, 10, 20])
    picture.putpixel((0, 0), 0)
    picture.save(tmp_path / "a.png", transparency=0)
    pixels = read_picture(tmp_path / "a.png").pixels
    assert pixels[0, 0, 3] == 0
    assert pixels[1, 1].tolist() == [250, 10, 20, 255]


def test_an_embedded_profile_is_carried_out(tmp_path):
    """A profile whose red and blue are swapped swaps them; sRGB itself leaves every bit."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"tmpX", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"tmpX", b"bXYZ", 1)
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "BGRs".encode("utf-16-be"))
    pixels = np.tile(np.array([200, 120, 60], np.uint8), (8, 8, 1))
    Image.fromarray(pixels).save(tmp_path / "swapped.png", icc_profile=swapped)
    assert np.abs(read_picture(tmp_path / "swapped.png").pixels[0, 0].astype(int) - (60, 120, 200)).max() <= 2
    Image.fromarray(pixels).save(tmp_path / "srgb.png", icc_profile=srgb)
    np.testing.assert_array_equal(read_picture(tmp_path / "srgb.png").pixels, pixels)


@pytest.mark.parametrize(
    ("layer", "others"),
    [
        ("", ("Depth.Z", "ViewLayer.Combined.R", "ViewLayer.Combined.G", "ViewLayer.Combined.B")),
        ("ViewLayer.Combined.", ("ViewLayer.DiffCol.R", "ViewLayer.DiffCol.G", "ViewLayer.DiffCol.B")),
        ("Composite.Combined.", ("A.Combined.R", "A.Combined.G", "A.Combined.B", "A.Depth.Z")),
    ],
    ids=["plain", "combined pass", "composite"],
)
def test_a_multilayer_exr_gives_its_finished_picture(tmp_path, layer, others):
    finished = scene(4, np.float16)
    values = np.concatenate([np.full((9, 14, len(others)), 0.25, np.float16), finished], axis=2)
    exr(tmp_path / "a.exr", [*others, *(layer + channel for channel in "RGBA")], values)
    frame = read_picture(tmp_path / "a.exr")
    assert frame.pixels.dtype == np.float16
    np.testing.assert_array_equal(frame.pixels, finished)


def test_an_exr_of_a_rendered_border_fills_the_whole_picture(tmp_path):
    values = scene(3)
    exr(tmp_path / "a.exr", ["R", "G", "B"], values, x=5, y=3, full_x=0, full_y=0, full_width=30, full_height=20)
    pixels = read_picture(tmp_path / "a.exr").pixels
    assert pixels.shape == (20, 30, 3)
    np.testing.assert_array_equal(pixels[3:12, 5:19], values)
    assert pixels.sum() == pytest.approx(values.sum(), rel=1e-5)


def test_an_exr_without_colours_is_refused(tmp_path):
    exr(tmp_path / "a.exr", ["Z"], scene()[:, :, :1].copy())
    refused = refusal(read_picture, tmp_path / "a.exr")
    assert refused.code is ErrorCode.INVALID_FILE
    assert "a.exr" in refused.what


def damaged(folder, kind):
    path = folder / {"text": "a.png", "truncated jpeg": "a.jpg", "truncated exr": "a.exr", "empty": "a.tif"}[kind]
    if kind == "text":
        path.write_text("not a picture")
    elif kind == "empty":
        path.touch()
    else:
        pixels = colours(shape=(200, 200)) if kind == "truncated jpeg" else scene().repeat(20, 0).repeat(20, 1)
        write_picture(path, pixels, Encoding() if kind == "truncated jpeg" else LINEAR)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


@pytest.mark.parametrize("kind", ["text", "truncated jpeg", "truncated exr", "empty"])
def test_a_damaged_file_is_named(tmp_path, kind):
    path = damaged(tmp_path, kind)
    refused = refusal(read_picture, path)
    assert refused.code is ErrorCode.INVALID_FILE
    assert path.name in refused.what
    assert "\n" not in refused.what


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    assert "nothing.png does not exist" in refusal(read_picture, tmp_path / "nothing.png").what
    assert "is a folder" in refusal(read_picture, tmp_path).what


def test_nothing_is_overwritten_unasked(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(b"precious")
    refused = refusal(write_picture, path, colours(), Encoding())
    assert refused.code is ErrorCode.INVALID_FILE
    assert "--force" in refused.remedy
    assert path.read_bytes() == b"precious"
    write_picture(path, colours(), Encoding(), force=True)
    np.testing.assert_array_equal(read_picture(path).pixels, colours())
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_overwriting_keeps_the_files_permissions_and_links(tmp_path):
    if os.name == "nt":
        pytest.skip("permissions are different on Windows")
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "a.png"
    target.write_bytes(b"old")
    target.chmod(0o640)
    (tmp_path / "link.png").symlink_to(target)
    write_picture(tmp_path / "link.png", colours(), Encoding(), force=True)
    assert (tmp_path / "link.png").is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    np.testing.assert_array_equal(read_picture(target).pixels, colours())


@pytest.mark.parametrize("name", ["a", "a.webp", "missing/a.png"])
def test_unwritable_names_are_refused(tmp_path, name):
    assert refusal(write_picture, tmp_path / name, colours(), Encoding()).code is ErrorCode.INVALID_FILE
    assert list(tmp_path.iterdir()) == []


def test_a_depth_the_format_lacks_is_refused(tmp_path):
    refused = refusal(write_picture, tmp_path / "a.jpg", colours(), Encoding(), depth="float")
    assert refused.code is ErrorCode.INVALID_SETTING


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from lifelike.imaging.files import write_picture
from lifelike_protocol.errors import LifelikeError
from lifelike_protocol.messages import Encoding

resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
for name, depth in (argument.split(":") for argument in sys.argv[2:]):
    try:
        write_picture(Path(sys.argv[1]) / name, noise, Encoding(), force=True, depth=depth)
    except LifelikeError as error:
        print(error.code.value, error)
"""


def test_a_full_disk_leaves_the_old_files_whole(tmp_path):
    pytest.importorskip("resource", reason="needs a limit on file sizes (POSIX)")
    written = ["8.png:uint8", "8.jpg:uint8", "8.tif:uint8", "16.png:uint16", "16.tif:uint16", "half.exr:half"]
    names = [entry.split(":")[0] for entry in written]
    for name in names:
        (tmp_path / name).write_bytes(b"precious")
    ended = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), *written],
        capture_output=True, text=True, timeout=200, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    told = ended.stdout.splitlines()
    assert len(told) == len(names), ended.stdout
    for name, line in zip(names, told, strict=True):
        assert line.startswith("invalid_file")
        assert name in line
        assert (tmp_path / name).read_bytes() == b"precious"
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(names)


RENDER = """
import sys
import bpy
folder = sys.argv[1]
scene = bpy.context.scene
scene.render.engine = "CYCLES"
scene.cycles.samples, scene.cycles.use_denoising = 1, False
scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 48, 32, 100
scene.view_layers[0].use_pass_normal = True
for name, kind in (("plain.exr", "OPEN_EXR"), ("layers.exr", "OPEN_EXR_MULTILAYER")):
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE" if "MULTI" in kind else "IMAGE"
    settings.file_format, settings.color_depth = kind, "32"
    settings.color_mode = "RGBA"
    scene.render.filepath = f"{folder}/{name}"
    bpy.ops.render.render(write_still=True)
"""


def test_blenders_own_multilayer_file_shows_its_combined_pass(tmp_path):
    named = dict(entry.split("=", 1) for entry in os.environ.get("LIFELIKE_BPY_PYTHONS", "").split(os.pathsep) if entry)
    if not named:
        pytest.skip("needs bpy (LIFELIKE_BPY_PYTHONS)")
    (tmp_path / "render.py").write_text(RENDER)
    python = named[max(named)]
    subprocess.run([python, tmp_path / "render.py", tmp_path], check=True, timeout=250, capture_output=True)
    plain, layers = (read_picture(Path(tmp_path / name)) for name in ("plain.exr", "layers.exr"))
    assert layers.encoding.kind == "scene_linear"
    np.testing.assert_allclose(layers.pixels[:, :, :3], plain.pixels[:, :, :3], atol=1e-4)
    assert plain.pixels[:, :, :3].std() > 0.01


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        *((f"a{end}", "uint8") for end in (".png", ".jpg", ".tif")),
        ("a.png", "uint16"),
        ("a.tiff", "uint16"),
        ("a.tiff", "float"),
        ("a.exr", "half"),
    ],
)
def test_a_description_is_kept_in_the_file(tmp_path, name, depth):
    told = json.dumps({"licence": "CC-BY-NC-4.0", "citation": "Žeňa\n2024"})
    path = tmp_path / name
    write_picture(path, colours(), Encoding(), depth=depth, description=told)
    spec = oiio.ImageInput.open(str(path)).spec()
    assert spec.getattribute("ImageDescription") == told
    assert spec.getattribute("Software") == "Lifelike"
    plain = tmp_path / f"plain {name}"
    write_picture(plain, colours(), Encoding(), depth=depth)
    assert np.array_equal(read_picture(path).pixels, read_picture(plain).pixels)
    assert oiio.ImageInput.open(str(plain)).spec().getattribute("ImageDescription") is None
