# SPDX-License-Identifier: GPL-3.0-or-later
"""The method on one frame: locate → align → invert → transfer → composite."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from attrs import define, evolve, frozen
from torch import Tensor, nn

from lifelike.bundles.bundle import Bundle
from lifelike.faces.alignment import align, transform_points
from lifelike.faces.compositing import composite, face_mask, mask_box, soft_mask
from lifelike.faces.landmarks import LocatedFace, locate_faces
from lifelike.faces.likeness import landmark_drift, likeness_warnings, portrait_similarity
from lifelike.imaging.colour import from_display, to_display
from lifelike.inversion import invert
from lifelike.networks.encoder import Latent
from lifelike.transfer import Transfer
from lifelike_protocol.messages import Array, FaceResult, Frame, Settings, Stage

Report = Callable[[Stage, float], None]
"""Called often with the stage and the fraction of the whole job, 0…1; may raise to end the job."""


@frozen
class Listener:
    """Who hears more of a run than how far it is.

    error: called before each step of refinement or tuning with the root mean square of G_render(w⁺) − x, in display
        values 0…1, and with None when a face's inversion is done.
    preview: called at most once, with what the encoder's one pass comes to: pixels in the frame's own shape, dtype and
        encoding. None: nobody asked, and none is made.
    """

    error: Callable[[float | None], None] = lambda error: None
    preview: Callable[[Array], None] | None = None


STARTS = {Stage.LOCATE: 0.0, Stage.ALIGN: 0.3, Stage.INVERT: 0.35, Stage.TRANSFER: 0.55, Stage.COMPOSITE: 0.85}
"""Where each stage begins on the way from 0 to 1."""


@frozen
class PipelineResult:
    """pixels: the frame's own shape, dtype and encoding. timings: seconds per stage, and "total"."""

    pixels: Array
    faces: tuple[FaceResult, ...]
    timings: dict[str, float]


@define
class Portrait:
    """One face on its way. before, after: (R, R, 3) float32, 0…1; transform: (3, 3), portrait to frame."""

    face: LocatedFace
    before: Array
    transform: Array
    latent: Latent | None = None
    after: Array | None = None


class Pipeline:
    """Runs a bundle on frames."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.transfer = Transfer(bundle)

    @torch.inference_mode()
    def run(
        self,
        frame: Frame,
        settings: Settings,
        report: Report = lambda stage, fraction: None,
        listener: Listener | None = None,
    ) -> PipelineResult:
        """Give every face of a frame the photo look.

        Args:
            frame: the picture, with what is known of its faces.
            settings: strength and method; the bundle's name is not looked at.
            report: progress, and the way to cancel: what it raises ends the run.
            listener: what else is told on the way.

        Raises:
            LifelikeError: NO_FACE, INVALID_SETTING, and whatever `report` raises.
        """
        clock = StageClock(report)
        with clock.stage(Stage.LOCATE):
            display = to_display(frame.pixels, frame.encoding)
            locator = None if self.bundle.locator is None else self.bundle.locator.locate
            faces = locate_faces(display, frame.faces, locator, str(self.bundle.device))
        with clock.stage(Stage.ALIGN):
            portraits = [self._align(display, face) for face in clock.each(faces)]
        with clock.stage(Stage.INVERT), clock.inside(self.bundle.encoder.down):
            for portrait in clock.each(portraits):
                portrait.latent = invert(self.bundle, to_tensor(portrait.before))
        with clock.stage(Stage.TRANSFER), clock.inside(self.bundle.photo.synthesis.children()):
            for portrait in clock.each(portraits):
                portrait.after = self._transfer(portrait, settings)
        with clock.stage(Stage.COMPOSITE):
            changed, results = display, []
            for portrait in clock.each(portraits):
                changed, result = self._composite(changed, portrait)
                results.append(result)
            pixels = from_display(changed, display, frame.pixels, frame.encoding)
        return PipelineResult(pixels, tuple(results), clock.timings())

    def _align(self, display: Array, face: LocatedFace) -> Portrait:
        aligned = align(display, face.landmarks, self.bundle.card.resolution)
        return Portrait(face, aligned.portrait, aligned.transform)

    def _transfer(self, portrait: Portrait, settings: Settings) -> Array:
        assert portrait.latent is not None
        made = self.transfer.apply(to_tensor(portrait.before), portrait.latent, settings.method, settings.strength)
        return to_picture(made)

    def _composite(self, display: Array, portrait: Portrait) -> tuple[Array, FaceResult]:
        """The frame with one face put back, and what is said of that face."""
        face, before, after = portrait.face, portrait.before, portrait.after
        assert after is not None
        shape = display.shape[:2]
        mask = face_mask(face.landmarks, shape) if face.mask is None else soft_mask(face.mask, face.landmarks)
        changed = composite(display, after - before, portrait.transform, mask)
        x0, y0, x1, y1 = mask_box(mask)
        in_portrait = transform_points(np.linalg.inv(portrait.transform), face.landmarks)
        result = FaceResult(
            name=face.name,
            landmarks=np.asarray(face.landmarks, np.float64),
            landmark_source=face.source,
            transform=portrait.transform,
            portrait=to_bytes(before),
            photo=to_bytes(after),
            box=(x0, y0, x1, y1),
            mask=np.ascontiguousarray(mask[y0:y1, x0:x1]),
            identity_similarity=portrait_similarity(self.bundle, before, after),
            landmark_drift=landmark_drift(self.bundle, before, after, in_portrait),
        )
        return changed, evolve(result, warnings=likeness_warnings(result, self.bundle))


class StageClock:
    """Times the stages and turns their inner progress into the whole job's."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._seconds: dict[str, float] = {}
        self._now, self._done, self._share = Stage.LOCATE, 0.0, 1.0

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """One stage, reported at its start."""
        self._now, self._done = stage, 0.0
        self._tell(0.0)
        started = time.perf_counter()
        yield
        self._seconds[stage.value] = time.perf_counter() - started

    def each(self, items: list[Portrait] | list[LocatedFace]) -> Iterator:
        """The stage's items, with a report before each."""
        self._share = 1 / max(len(items), 1)
        for index, item in enumerate(items):
            self._done = index * self._share
            self._tell(self._done)
            yield item

    @contextmanager
    def inside(self, layers: nn.ModuleList | Iterator[nn.Module]) -> Iterator[None]:
        """Reports before every layer of a network, so that a job can end in the middle of one."""
        modules = list(layers)
        parts = {module: index / len(modules) for index, module in enumerate(modules)}

        def tell(module: nn.Module, _: object) -> None:
            self._tell(self._done + parts[module] * self._share)

        hooks = [module.register_forward_pre_hook(tell) for module in modules]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def timings(self) -> dict[str, float]:
        """Seconds per stage and in all."""
        return {**self._seconds, "total": sum(self._seconds.values())}

    def _tell(self, within: float) -> None:
        stages = list(STARTS)
        following = stages.index(self._now) + 1
        end = STARTS[stages[following]] if following < len(stages) else 1.0
        start = STARTS[self._now]
        self._report(self._now, start + (end - start) * min(within, 1.0))


def to_tensor(picture: Array) -> Tensor:
    """(R, R, 3) float32, 0…1 → [1, 3, R, R], −1…1."""
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None] * 2 - 1


def to_picture(tensor: Tensor) -> Array:
    """[1, 3, R, R], −1…1 → (R, R, 3) float32, 0…1."""
    return np.ascontiguousarray(((tensor[0].float() + 1) / 2).permute(1, 2, 0).numpy())


def to_bytes(picture: Array) -> Array:
    """(R, R, 3) float32, 0…1 → uint8."""
    return (picture.clip(0, 1) * 255 + 0.5).astype(np.uint8)
