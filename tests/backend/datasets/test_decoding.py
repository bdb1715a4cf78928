# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of picture file becomes the 8-bit sRGB colours that it shows."""

from __future__ import annotations

import numpy as np
import OpenImageIO as oiio
import pytest
from PIL import Image, ImageCms

from lifelike.datasets.decoding import BACKDROP, read_rgb
from lifelike_protocol.errors import ErrorCode, LifelikeError

RED = (200, 40, 30)


def write_fine(path, values: np.ndarray, depth: str) -> None:
    """Writes (H, W, C) with OpenImageIO itself."""
    output = oiio.ImageOutput.create(str(path))
    assert output.open(str(path), oiio.ImageSpec(values.shape[1], values.shape[0], values.shape[2], depth))
    assert output.write_image(values)
    output.close()


def shown(path) -> np.ndarray:
    pixels = read_rgb(path)
    assert pixels.dtype == np.uint8
    assert pixels.shape[2] == 3
    return pixels


def test_colours_come_as_they_are(tmp_path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.png")
    assert np.array_equal(shown(tmp_path / "a.png"), colours)


def test_grey_becomes_three_equal_channels(tmp_path) -> None:
    levels = np.arange(35, dtype=np.uint8).reshape(7, 5) * 7
    Image.fromarray(levels).save(tmp_path / "a.png")
    assert np.array_equal(shown(tmp_path / "a.png"), np.repeat(levels[:, :, None], 3, 2))


def test_a_palette_is_looked_up(tmp_path) -> None:
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([0, 0, 0, *RED])
    picture.save(tmp_path / "a.png")
    assert (shown(tmp_path / "a.png") == RED).all()


@pytest.mark.parametrize("alpha", [0, 128, 255])
def test_alpha_lets_the_backdrop_through(tmp_path, alpha) -> None:
    Image.new("RGBA", (4, 4), (*RED, alpha)).save(tmp_path / "a.png")
    expected = np.array(RED) * alpha / 255 + BACKDROP * (1 - alpha / 255)
    assert np.abs(shown(tmp_path / "a.png") - expected).max() <= 0.51


def test_grey_with_alpha_lets_the_backdrop_through(tmp_path) -> None:
    Image.new("LA", (4, 4), (250, 0)).save(tmp_path / "a.png")
    assert (shown(tmp_path / "a.png") == BACKDROP).all()


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_rounded_to_eight(tmp_path, channels, suffix) -> None:
    values = np.full((6, 6, channels), 65535, np.uint16)
    values[:, :, : min(channels, 3)] = np.arange(36, dtype=np.uint16).reshape(6, 6, 1) * 1800
    write_fine(tmp_path / f"a.{suffix}", values, "uint16")
    expected = np.rint(values[:, :, :1] / 257)
    assert np.abs(shown(tmp_path / f"a.{suffix}") - expected).max() <= 1


def test_inks_become_colours(tmp_path) -> None:
    for suffix in ("jpg", "tif"):
        Image.new("CMYK", (16, 16), (255, 0, 255, 0)).save(tmp_path / f"a.{suffix}")
        red, green, blue = shown(tmp_path / f"a.{suffix}")[8, 8].astype(int)
        assert green > red + 100
        assert green > blue + 100


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_an_orientation_is_carried_out(tmp_path, orientation) -> None:
    upright = np.zeros((4, 6, 3), np.uint8)
    upright[0, 0] = 255
    turns = {3: 2, 6: 1, 8: 3}[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.rot90(upright, turns).copy()).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(shown(tmp_path / "a.png"), upright)


def test_a_colour_profile_is_carried_out(tmp_path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    srgb = ImageCms.createProfile("sRGB")
    in_lab = ImageCms.profileToProfile(Image.new("RGB", (4, 4), RED), srgb, lab, outputMode="LAB")
    Image.new("RGB", (4, 4), RED).save(tmp_path / "a.png", icc_profile=ImageCms.ImageCmsProfile(srgb).tobytes())
    assert np.abs(shown(tmp_path / "a.png").astype(int) - RED).max() <= 1
    in_lab.save(tmp_path / "b.tif", icc_profile=lab.tobytes())
    assert np.abs(shown(tmp_path / "b.tif").astype(int) - RED).max() <= 6


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_scene_linear_light_is_shown_and_covers_the_backdrop(tmp_path, alpha) -> None:
    linear = 0.2140  # what an sRGB display shows as 127.5
    values = np.full((4, 4, 4), linear * alpha, np.float32)
    values[:, :, 3] = alpha
    write_fine(tmp_path / "a.exr", values, "half")
    assert np.abs(shown(tmp_path / "a.exr").astype(int) - 128).max() <= 1


def test_what_is_no_picture_is_named(tmp_path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    with pytest.raises(LifelikeError, match=r"a\.png") as caught:
        read_rgb(tmp_path / "a.png")
    assert caught.value.code is ErrorCode.INVALID_FILE
