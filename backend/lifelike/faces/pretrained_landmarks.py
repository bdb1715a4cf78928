# SPDX-License-Identifier: GPL-3.0-or-later
"""Landmarks by the face-alignment package (Bulat & Tzimiropoulos 2017), where its weights are at hand.

The package fetches its weights by itself. It is used only where they already lie in torch's hub cache, or where
LIFELIKE_ALLOW_DOWNLOADS=1 permits fetching; nothing here reaches the network otherwise.
"""

from __future__ import annotations

import importlib.util
import logging
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lifelike.faces import resampling
from lifelike.faces.alignment import take_portrait, transform_points
from lifelike_protocol.messages import Array

log = logging.getLogger(__name__)

LANDMARK_WEIGHTS = "2DFAN4-11f355bf06.pth.tar"
DETECTOR_WEIGHTS = "s3fd-619a316812.pth"
DETECTION_SIDE = 1024
"""The frame's longer side is brought down to this to find faces; one pass over more takes seconds."""
CROP = 512
"""Pixels a side of the crop in which one face's landmarks are found: the package rounds them to whole pixels."""


def weights_folder() -> Path:
    """Where torch keeps downloaded weights."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def downloads_allowed() -> bool:
    return os.environ.get("LIFELIKE_ALLOW_DOWNLOADS") == "1"


def weights_present() -> bool:
    return all((weights_folder() / name).is_file() for name in (LANDMARK_WEIGHTS, DETECTOR_WEIGHTS))


def available() -> bool:
    """Whether face-alignment is installed and needs no download that was not allowed."""
    return importlib.util.find_spec("face_alignment") is not None and (weights_present() or downloads_allowed())


def locate(display: Array, device: str = "cpu") -> list[tuple[Array, float]]:
    """Every face face-alignment finds.

    Args:
        display: (H, W, 3) float32, 0…1.
        device: as for torch.

    Returns:
        Landmarks (68, 2) float64 in frame pixels and the detector's confidence 0…1; empty, after a warning in
        the log, where the package fails.
    """
    networks = _networks(device)
    if networks is None:
        return []
    try:
        return [(_landmarks(networks, display, box), float(box[4])) for box in _boxes(networks, display)]
    except Exception as failure:
        # Whatever goes wrong inside the package, the bundle's own network can still do the work.
        log.warning("face-alignment failed (%s); another landmark source is used", failure)
        return []


def release() -> None:
    """Forgets the loaded networks, so that their memory is given back."""
    _networks.cache_clear()


@lru_cache(maxsize=1)
def _networks(device: str) -> Any:
    """A `face_alignment.FaceAlignment`, or None where it cannot be made."""
    try:
        import face_alignment
        from face_alignment import api

        expected = Path(api.models_urls["2DFAN-4"]).name
        if expected != LANDMARK_WEIGHTS and not downloads_allowed():
            raise RuntimeError(f"this version of the package wants {expected}")
        detector = weights_folder() / DETECTOR_WEIGHTS
        return face_alignment.FaceAlignment(
            face_alignment.LandmarksType.TWO_D,
            device=device,
            flip_input=False,
            compile=False,
            face_detector_kwargs={"path_to_detector": str(detector)} if detector.is_file() else None,
        )
    except Exception as failure:
        log.warning("face-alignment could not be loaded (%s); another landmark source is used", failure)
        return None


def _boxes(networks: Any, display: Array) -> list[Array]:
    """Face boxes (x0, y0, x1, y1, confidence) in frame pixels."""
    height, width = display.shape[:2]
    factor = min(1.0, DETECTION_SIDE / max(height, width))
    small = display
    if factor < 1.0:
        shape = (max(1, round(height * factor)), max(1, round(width * factor)))
        small = resampling.to_pixels(resampling.resized(resampling.to_planes(display), shape), like=display)
    scale = np.array([width / small.shape[1], height / small.shape[0]] * 2 + [1.0])
    return [np.asarray(box, np.float64) * scale for box in networks.face_detector.detect_from_image(_bytes(small))]


def _landmarks(networks: Any, display: Array, box: Array) -> Array:
    """(68, 2) landmarks of one boxed face, found in a crop where the face has always the same size."""
    side = 2.0 * max(box[2] - box[0], box[3] - box[1])
    corner = (box[:2] + box[2:4] - side) / 2
    to_frame = np.array([[side / CROP, 0.0, corner[0]], [0.0, side / CROP, corner[1]], [0.0, 0.0, 1.0]])
    crop = _bytes(take_portrait(display, to_frame, CROP, blend_beyond=False))
    box_in_crop = [*transform_points(np.linalg.inv(to_frame), box[:4].reshape(2, 2)).ravel(), box[4]]
    found = networks.get_landmarks_from_image(crop, detected_faces=[np.array(box_in_crop)])
    # The package counts in whole pixels; the middle of a pixel is half a pixel on.
    return transform_points(to_frame, np.asarray(found[0], np.float64)[:, :2] + 0.5)


def _bytes(display: Array) -> Array:
    rounded: Array = np.clip(np.rint(display * 255), 0, 255).astype(np.uint8)
    return rounded
