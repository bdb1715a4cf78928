# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames go to the display and back without losing what the display cannot show."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lifelike.imaging.colour import from_display, to_display
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Encoding

LINEAR = Encoding(kind="scene_linear")
VIEWS = ("Standard", "AgX", "Filmic", "Khronos PBR Neutral")


def interpreters():
    """Version → Python interpreter with that version's bpy, from LIFELIKE_BPY_PYTHONS."""
    named = os.environ.get("LIFELIKE_BPY_PYTHONS", "").split(os.pathsep)
    return dict(entry.split("=", 1) for entry in named if "=" in entry)


@pytest.fixture(scope="session", params=["4.2", "4.5", "5.0"])
def blender(request):
    """(interpreter, OpenColorIO configuration) of one Blender version."""
    python = interpreters().get(request.param)
    if python is None:
        pytest.skip(f"needs bpy {request.param} (LIFELIKE_BPY_PYTHONS)")
    found = list(Path(python).parents[1].glob("[lL]ib/**/bpy/*/datafiles/colormanagement/config.ocio"))
    if not found:
        pytest.skip(f"bpy {request.param} has no OpenColorIO configuration where it was looked for")
    return python, str(found[0])


def skin(seed=3, shape=(40, 50)):
    """Scene-linear colours as renders have them: skin to shadow to highlight, (h, w, 3) float32."""
    generator = np.random.default_rng(seed)
    brightness = np.exp(generator.uniform(np.log(0.005), np.log(2.0), (*shape, 1)))
    return (brightness * np.exp(generator.normal(0, 0.25, (*shape, 3)))).astype(np.float32)


def test_bytes_are_what_they_are():
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    display = to_display(pixels, Encoding())
    np.testing.assert_allclose(display, pixels / 255, atol=1e-7)
    changed = display.copy()
    changed[0, 1] = (0.5, 0.0, 1.0)
    result = from_display(changed, display, pixels, Encoding())
    assert result.dtype == np.uint8
    assert result[0, 1].tolist() == [128, 0, 255]
    result[0, 1] = pixels[0, 1]
    np.testing.assert_array_equal(result, pixels)


def test_standard_is_the_srgb_curve_after_exposure_and_before_gamma():
    pixels = np.full((1, 1, 3), 0.18, np.float32)
    assert to_display(pixels, LINEAR)[0, 0, 0] == pytest.approx(0.4613, abs=2e-4)
    brighter = Encoding(kind="scene_linear", exposure=1.0)
    assert to_display(pixels, brighter)[0, 0, 0] == pytest.approx(to_display(2 * pixels, LINEAR)[0, 0, 0], abs=1e-6)
    lifted = Encoding(kind="scene_linear", gamma=2.0)
    assert to_display(pixels, lifted)[0, 0, 0] == pytest.approx(0.4613**0.5, abs=2e-4)


def test_raw_shows_the_numbers():
    pixels = np.array([[[0.25, -1.0, 3.0]]], np.float32)
    assert to_display(pixels, Encoding(kind="scene_linear", view_transform="Raw")).tolist() == [[[0.25, 0.0, 1.0]]]


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float32, (6, 7, 4), elements=st.floats(-2, 60000, width=16)),
    st.sampled_from([np.uint8, np.float16, np.float32]),
    st.sampled_from(["display", "scene_linear"]),
    st.floats(-3, 3),
    st.floats(0.5, 2.5),
)
def test_pixels_that_do_not_change_come_back_bit_for_bit(values, dtype, kind, exposure, gamma):
    pixels = values.astype(dtype) if dtype != np.uint8 else (np.abs(values) % 256).astype(np.uint8)
    encoding = Encoding(kind=kind, exposure=exposure, gamma=gamma)
    display = to_display(pixels, encoding)
    assert display.dtype == np.float32
    assert display.min() >= 0
    assert display.max() <= 1
    changed = display.copy()
    changed[2, 3] = 1 - changed[2, 3]
    result = from_display(changed, display, pixels, encoding)
    assert result.dtype == pixels.dtype
    assert result[..., 3].tobytes() == pixels[..., 3].tobytes()
    touched = (changed != display).any(axis=2)
    assert result[~touched].tobytes() == pixels[~touched].tobytes()


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float32, (5, 5, 3), elements=st.floats(0, 1, width=32)),
    arrays(np.float32, (5, 5, 3), elements=st.floats(0, 1, width=32)),
    st.floats(-2, 2),
    st.floats(0.7, 1.6),
)
def test_a_changed_colour_shows_as_asked(linear, wanted, exposure, gamma):
    encoding = Encoding(kind="scene_linear", exposure=exposure, gamma=gamma)
    linear = linear * np.float32(2.0**-exposure)
    result = from_display(wanted, to_display(linear, encoding), linear, encoding)
    np.testing.assert_allclose(to_display(result, encoding), wanted, atol=2e-3)


def test_highlights_stay_highlights():
    pixels = np.full((1, 4, 3), 5.0, np.float32)
    display = to_display(pixels, LINEAR)
    changed = display.copy()
    changed[0, 1] -= 0.01
    changed[0, 2] -= 0.03
    changed[0, 3] = 0.5
    result = from_display(changed, display, pixels, LINEAR)
    assert result[0, 0].tolist() == [5.0, 5.0, 5.0]
    assert 3.0 < result[0, 1, 0] < 5.0
    assert 1.0 < result[0, 2, 0] < result[0, 1, 0]
    # Far from white the highlight is gone, and shows as asked.
    np.testing.assert_allclose(to_display(result, LINEAR)[0, 3], 0.5, atol=1e-4)


def test_what_is_not_a_number_does_not_spread():
    pixels = np.full((2, 2, 3), 0.5, np.float32)
    pixels[0, 0] = np.nan
    pixels[0, 1] = np.inf
    display = to_display(pixels, LINEAR)
    assert np.isfinite(display).all()
    result = from_display(np.full_like(display, 0.25), display, pixels, LINEAR)
    assert np.isfinite(result).all()


@pytest.mark.parametrize("view", VIEWS)
def test_blenders_views_round_trip(blender, view):
    encoding = Encoding(kind="scene_linear", view_transform=view, exposure=0.4, gamma=1.1, ocio_config=blender[1])
    pixels = skin()
    display = to_display(pixels, encoding)
    assert 0.2 < display.mean() < 0.9
    wanted = np.clip(display + np.float32([0.03, -0.02, 0.01]), 0.02, 0.9)
    result = from_display(wanted, display, pixels, encoding)
    difference = np.abs(to_display(result, encoding) - wanted)
    # A few colours are out of the view's reach; and what changed by less than 0.06 keeps some of its highlight.
    in_reach = (display < 0.98).all(axis=2) & (display > 0.02).all(axis=2)
    assert np.quantile(difference[in_reach], 0.999) < 0.02
    assert difference[in_reach].mean() < 0.001


@pytest.mark.parametrize("view", ["AgX", "Filmic"])
def test_highlights_survive_blenders_views(blender, view):
    encoding = Encoding(kind="scene_linear", view_transform=view, ocio_config=blender[1])
    pixels = np.full((2, 2, 3), 400.0, np.float32)
    display = to_display(pixels, encoding)
    result = from_display(np.clip(display - 0.005, 0, 1), display, pixels, encoding)
    assert result.min() > 30
    assert result.max() < 400


LOOK = """
import json, sys
import bpy, numpy as np
pixels, out, views = np.load(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
height, width = pixels.shape[:2]
image = bpy.data.images.new("linear", width, height, float_buffer=True)
image.colorspace_settings.name = "Linear Rec.709"
opaque = np.concatenate([pixels, np.ones((height, width, 1), np.float32)], axis=2)
image.pixels.foreach_set(opaque[::-1].ravel())
image.update()
scene = bpy.context.scene
scene.render.image_settings.file_format = "PNG"
scene.render.image_settings.color_depth = "16"
scene.render.image_settings.color_mode = "RGB"
for number, (view, look, exposure, gamma) in enumerate(views):
    settings = scene.view_settings
    settings.view_transform, settings.look, settings.exposure, settings.gamma = view, look, exposure, gamma
    image.save_render(f"{out}/{number}.png", scene=scene)
"""


def test_blender_shows_the_same(blender, tmp_path):
    """Blender itself saves the picture through its views; this backend must see what Blender's user sees."""
    import json

    import OpenImageIO as oiio

    python, configuration = blender
    pixels = skin(shape=(32, 48))
    np.save(tmp_path / "linear.npy", pixels)
    views = [(view, "None", 0.0, 1.0) for view in VIEWS]
    views += [("AgX", "AgX - Punchy", 0.7, 1.2), ("Filmic", "None", -0.5, 0.9), ("Raw", "None", 0.0, 1.0)]
    (tmp_path / "look.py").write_text(LOOK)
    command = [python, tmp_path / "look.py", tmp_path / "linear.npy", tmp_path, json.dumps(views)]
    subprocess.run(command, check=True, timeout=240, capture_output=True)
    for number, (view, look, exposure, gamma) in enumerate(views):
        shown = oiio.ImageBuf(str(tmp_path / f"{number}.png")).get_pixels(oiio.FLOAT)
        encoding = Encoding("scene_linear", view, look, exposure, gamma, configuration)
        difference = np.abs(to_display(pixels, encoding) - shown)
        assert difference.mean() < 1e-3, (view, look)
        assert np.quantile(difference, 0.99) < 4e-3, (view, look)


@pytest.mark.parametrize(
    "encoding",
    [
        Encoding(kind="scene_linear", view_transform="AgX"),
        Encoding(kind="scene_linear", view_transform="AgX", ocio_config="/nowhere/config.ocio"),
        Encoding(kind="scene_linear", gamma=0.0),
        Encoding(kind="scene_linear", exposure=float("nan")),
        Encoding(kind="printer"),
    ],
    ids=["no configuration", "missing configuration", "gamma 0", "exposure nan", "unknown kind"],
)
def test_unusable_encodings_are_refused_in_plain_words(encoding):
    with pytest.raises(LifelikeError) as refused:
        to_display(np.zeros((2, 2, 3), np.float32), encoding)
    assert refused.value.code is ErrorCode.INVALID_SETTING
    assert refused.value.what
    assert refused.value.remedy


def test_a_view_the_configuration_does_not_know_is_refused(blender):
    encoding = Encoding(kind="scene_linear", view_transform="Technicolor", ocio_config=blender[1])
    with pytest.raises(LifelikeError) as refused:
        to_display(np.zeros((2, 2, 3), np.float32), encoding)
    assert refused.value.code is ErrorCode.INVALID_SETTING
    assert "Technicolor" in refused.value.what


def test_a_file_that_is_no_configuration_is_refused(tmp_path):
    file = tmp_path / "config.ocio"
    file.write_text("not a configuration")
    with pytest.raises(LifelikeError) as refused:
        to_display(np.zeros((2, 2, 3), np.float32), Encoding("scene_linear", "AgX", ocio_config=str(file)))
    assert refused.value.code is ErrorCode.INVALID_SETTING
