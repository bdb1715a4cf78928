# SPDX-License-Identifier: GPL-3.0-or-later
"""Hypothesis strategies for every message of the protocol."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lifelike_protocol import messages as m

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)
numbers = st.floats(allow_nan=False, allow_infinity=False)
fractions = st.floats(0.0, 1.0)
integers = st.integers(-(2**63), 2**63 - 1)
counts = st.integers(0, 2**31)
versions = st.dictionaries(texts, texts, max_size=3)

PIXEL_TYPES = (np.uint8, np.float16, np.float32)


@st.composite
def pixels(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """(H, W, 3 or 4), uint8, float16 or float32, finite; in C order, reversed or transposed in memory."""
    dtype = np.dtype(draw(st.sampled_from(PIXEL_TYPES)))
    sides = draw(st.tuples(st.integers(1, 6), st.integers(1, 6), st.sampled_from((3, 4))))
    finite = {} if dtype.kind == "u" else {"allow_nan": False, "allow_infinity": False}
    elements = arrays.from_dtype(dtype, **finite)
    picture = draw(arrays.arrays(dtype, sides, elements=elements))
    layout = draw(st.sampled_from(("C", "reversed", "transposed")))
    if layout == "reversed":
        return picture[::-1, :, ::-1]
    if layout == "transposed":
        return picture.transpose(1, 0, 2)
    return picture


def masks(shape: tuple[int, int]) -> st.SearchStrategy[np.ndarray[Any, Any]]:
    return arrays.arrays(np.uint8, shape)


landmarks = arrays.arrays(np.float64, (68, 2), elements=st.floats(-1000, 1000))
transforms = arrays.arrays(np.float64, (3, 3), elements=numbers)
encodings = st.builds(
    m.Encoding,
    kind=st.sampled_from(("display", "scene_linear")),
    view_transform=texts,
    look=texts,
    exposure=st.floats(-10, 10),
    gamma=st.floats(0.1, 5),
    ocio_config=texts,
)
steps = st.integers(0, 1000)
settings = st.builds(
    m.Settings,
    bundle=names,
    strength=fractions,
    method=st.sampled_from(m.Method),
    inversion=st.builds(m.Inversion, refine=steps, tune=steps),
    restoration=st.builds(m.Restoration, iris=fractions, skin=fractions, background=fractions, accessories=fractions),
)


@st.composite
def frames(draw: st.DrawFn) -> m.Frame:
    picture = draw(pixels())
    hint = st.builds(m.FaceHint, name=texts, landmarks=st.none() | landmarks, mask=st.none() | masks(picture.shape[:2]))
    source = st.builds(m.Source, scene=texts, camera=texts, frame=integers)
    return m.Frame(picture, draw(encodings), tuple(draw(st.lists(hint, max_size=3))), draw(source))


@st.composite
def face_results(draw: st.DrawFn) -> m.FaceResult:
    side = draw(st.integers(1, 5))
    portraits = arrays.arrays(np.uint8, (side, side, 3))
    x, y = draw(st.tuples(counts, counts))
    width, height = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    return m.FaceResult(
        name=draw(texts),
        landmarks=draw(landmarks),
        landmark_source=draw(st.sampled_from(m.LandmarkSource)),
        transform=draw(transforms),
        portrait=draw(portraits),
        photo=draw(portraits),
        box=(x, y, x + width, y + height),
        mask=draw(masks((height, width))),
        identity_similarity=draw(st.none() | st.floats(-1, 1)),
        landmark_drift=draw(st.none() | st.floats(0, 100)),
        warnings=tuple(draw(st.lists(texts, max_size=2))),
    )


submits = st.builds(m.Submit, job=names, frame=frames(), settings=settings, preview=st.booleans())
results = st.builds(
    m.Result,
    job=names,
    pixels=pixels(),
    encoding=encodings,
    faces=st.lists(face_results(), max_size=2).map(tuple),
    timings=st.dictionaries(texts, numbers, max_size=3),
    provenance=st.builds(
        m.Provenance,
        bundle=texts,
        bundle_sha256=texts,
        settings=settings,
        device=texts,
        versions=versions,
        licence=texts,
        non_commercial=st.booleans(),
        citation=texts,
    ),
)
bundles = st.builds(m.BundleSummary, name=texts, resolution=counts, licence=texts, description=texts, sha256=texts)
BY_KIND: dict[type, st.SearchStrategy[Any]] = {
    m.Hello: st.builds(m.Hello, versions=st.lists(integers, min_size=1, max_size=3).map(tuple), client=texts),
    m.Submit: submits,
    m.Cancel: st.builds(m.Cancel, job=texts),
    m.Ping: st.builds(m.Ping, token=integers),
    m.StatusRequest: st.just(m.StatusRequest()),
    m.Shutdown: st.just(m.Shutdown()),
    m.Welcome: st.builds(m.Welcome, version=integers, server=texts, device=texts, pid=counts, max_side=counts),
    m.Progress: st.builds(
        m.Progress,
        job=texts,
        stage=st.sampled_from(m.Stage),
        fraction=fractions,
        queue_position=counts,
        error=st.none() | fractions,
    ),
    m.Preview: st.builds(m.Preview, job=texts, pixels=pixels(), encoding=encodings),
    m.Result: results,
    m.Error: st.builds(m.Error, code=texts, what=texts, remedy=texts, job=texts),
    m.Pong: st.builds(m.Pong, token=integers),
    m.Status: st.builds(
        m.Status,
        pid=counts,
        device=texts,
        uptime=numbers,
        working_on=texts,
        queued=counts,
        loaded_bundles=st.lists(texts, max_size=2).map(tuple),
        bundles=st.lists(bundles, max_size=2).map(tuple),
        memory_bytes=counts,
        log_file=texts,
        versions=versions,
    ),
    m.Goodbye: st.builds(m.Goodbye, reason=texts),
}
messages = st.one_of(*BY_KIND.values())
