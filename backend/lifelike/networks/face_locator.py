# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the faces of a whole frame and 68 landmarks in each (iBUG order), from a whole figure to a close-up.

Detector on the frame at two sizes, then the landmark regressor on an upright crop of each face, twice: the second time
on the crop its own first landmarks ask for. Trained on synthetic heads only; it is the last resort after landmarks
known from the scene and after face-alignment.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from torch import Tensor, nn

from lifelike.networks.face_detector import LONGEST_STRIDE, Detections, FaceDetector, read_face_map
from lifelike.networks.landmark_regressor import LandmarkRegressor

LOCATOR_SETTINGS: dict[str, Any] = {
    "detector": {},
    "regressor": {},
    "frame_sizes": [192, 448],  # longest side of the frame as the detector sees it
    "margin": 2.1,  # half the crop's side in face radii
    "least_heat": 0.2,
    "least_confidence": 0.5,
    "least_beside_surest": 0.75,  # a hand or a foot beside a plain face is no second face
}


class FaceLocator(nn.Module):
    """Both networks and the mean face between them.

    Args:
        settings: a plain dictionary overriding `LOCATOR_SETTINGS`; kept whole as ``settings``.
    """

    mean_shape: Tensor  # (68, 2), centred, upright, root mean square distance from the centre 1

    def __init__(self, settings: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.settings = {**LOCATOR_SETTINGS, **(settings or {})}
        self.detector = FaceDetector(self.settings["detector"])
        self.regressor = LandmarkRegressor(self.settings["regressor"])
        self.register_buffer("mean_shape", torch.zeros(68, 2))

    @torch.inference_mode()
    def locate(self, display: NDArray[np.float32]) -> list[tuple[NDArray[np.float32], float]]:
        """Faces of a frame, surest first.

        Args:
            display: (H, W, 3) float32, sRGB display values 0…1, row 0 on top.

        Returns:
            For each face: landmarks (68, 2) float32 in frame pixels (x right, y down, first pixel's centre at
            (0.5, 0.5)) and a confidence 0…1. Empty when there is no face.
        """
        frame = self._signed(display)
        found = self._detect(frame)
        if len(found.score) == 0:
            return []
        pyramid = frame_pyramid(frame)
        centre, scale = found.centre, found.scale
        for _ in range(2):
            landmarks, logits = self._regress(pyramid, centre, scale)
            centre, scale = self.fit(landmarks)
        # Both looks must agree: the detector alone takes a bald patch for a face, the regressor half of one.
        confidence = (logits.sigmoid() * found.score).sqrt()
        relative = self.settings["least_beside_surest"] * float(confidence.max())
        kept = distinct(Detections(centre, scale, confidence), max(self.settings["least_confidence"], relative))
        return [(landmarks[i].cpu().numpy(), float(confidence[i])) for i in kept]

    @torch.inference_mode()
    def landmarks_near(self, display: NDArray[np.float32], landmarks: NDArray[np.float64]) -> NDArray[np.float32]:
        """Landmarks (68, 2) of a face known to be about where `landmarks` (68, 2) say; otherwise as `locate`."""
        pyramid = frame_pyramid(self._signed(display))
        centre, scale = self.fit(torch.as_tensor(landmarks, dtype=torch.float32, device=self.mean_shape.device)[None])
        found, _ = self._regress(pyramid, centre, scale)
        return found[0].cpu().numpy()

    def _signed(self, display: NDArray[np.float32]) -> Tensor:
        """(H, W, 3) 0…1 → (1, 3, H, W) −1…1 on the network's device."""
        frame = torch.from_numpy(np.ascontiguousarray(display[..., :3], np.float32)).to(self.mean_shape.device)
        return frame.permute(2, 0, 1)[None].clamp(0, 1) * 2 - 1

    def fit(self, landmarks: Tensor) -> tuple[Tensor, Tensor]:
        """Centre and scale (n,) complex of the similarity that takes the mean face nearest to (n, 68, 2) landmarks."""
        points = torch.view_as_complex(landmarks.contiguous())
        mean = torch.view_as_complex(self.mean_shape.contiguous())
        centre = points.mean(1)
        return centre, ((points - centre[:, None]) * mean.conj()).sum(1) / (mean.abs() ** 2).sum().clamp_min(1e-9)

    def _detect(self, frame: Tensor) -> Detections:
        """Faces of the frame (1, 3, H, W) at both sizes, each once, in frame pixels."""
        side = max(frame.shape[-2:])
        sizes = sorted({min(size, max(side, self.settings["frame_sizes"][0])) for size in self.settings["frame_sizes"]})
        parts = []
        for size in sizes:
            shrunk, factor = fit_to(frame, size)
            found = read_face_map(self.detector(shrunk), self.settings["least_heat"])
            parts.append(Detections(found.centre / factor, found.scale / factor, found.score))
        together = Detections(*(torch.cat(values) for values in zip(*parts, strict=True)))
        kept = distinct(together, self.settings["least_heat"])
        return Detections(*(values[kept] for values in together))

    def _regress(self, pyramid: list[Tensor], centre: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Landmarks (n, 68, 2) in frame pixels and face logits (n,) for faces at centre, scale (n,) complex."""
        size, margin = self.regressor.settings["crop_size"], self.settings["margin"]
        crops = torch.cat([face_crop(pyramid, c, s * margin, size) for c, s in zip(centre, scale, strict=True)])
        places, logits = self.regressor(crops)
        points = centre[:, None] + scale[:, None] * margin * torch.view_as_complex(places.contiguous())
        return torch.view_as_real(points), logits


def fit_to(frame: Tensor, size: int) -> tuple[Tensor, float]:
    """The frame (1, 3, H, W) with its longest side at ``size``, edges repeated up to the stride; and the factor."""
    height, width = frame.shape[-2:]
    factor = size / max(height, width)
    shape = (max(1, round(height * factor)), max(1, round(width * factor)))
    shrunk = functional.interpolate(frame, shape, mode="bilinear", align_corners=False, antialias=factor < 1)
    right, below = (-side % LONGEST_STRIDE for side in reversed(shape))
    return functional.pad(shrunk, (0, right, 0, below), mode="replicate"), factor


def frame_pyramid(frame: Tensor) -> list[Tensor]:
    """The frame and its halvings, so that a large face can be read without aliasing."""
    levels = [frame]
    while min(levels[-1].shape[-2:]) >= 128:
        levels.append(functional.avg_pool2d(levels[-1], 2))
    return levels


def face_crop(pyramid: list[Tensor], centre: Tensor, reach: Tensor, size: int) -> Tensor:
    """(1, 3, size, size) about a centre, upright; ``reach`` (complex) is half the side, turned as the face is."""
    shrink = float(reach.abs()) * 2 / size
    level = min(max(0, round(math.log2(max(shrink, 1e-3)))), len(pyramid) - 1)
    picture = pyramid[level]
    height, width = (side * 2**level for side in picture.shape[-2:])
    matrix = torch.stack(
        [
            torch.stack([reach.real, -reach.imag, centre.real]) * (2 / width),
            torch.stack([reach.imag, reach.real, centre.imag]) * (2 / height),
        ]
    )
    matrix[:, 2] -= 1
    grid = functional.affine_grid(matrix[None], [1, 3, size, size], align_corners=False)
    return functional.grid_sample(picture, grid, mode="bilinear", padding_mode="border", align_corners=False)


def distinct(found: Detections, least: float) -> list[int]:
    """Indices, surest first, of faces scored above ``least`` that lie on no surer one."""
    kept: list[int] = []
    for index in found.score.argsort(descending=True).tolist():
        if found.score[index] < least:
            break
        apart = (
            (found.centre[index] - found.centre[other]).abs()
            > 0.8 * torch.maximum(found.scale[index].abs(), found.scale[other].abs())
            for other in kept
        )
        if all(apart):
            kept.append(index)
    return kept
