# SPDX-License-Identifier: GPL-3.0-or-later
"""The method on one frame: locate → align → invert → transfer → composite."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from attrs import define, evolve, frozen
from torch import Tensor

from lifelike.bundles.bundle import Bundle
from lifelike.faces.alignment import align, transform_points
from lifelike.faces.compositing import composite, face_mask, mask_box, soft_mask
from lifelike.faces.landmarks import LocatedFace, locate_faces
from lifelike.faces.likeness import landmark_drift, likeness_warnings, portrait_similarity
from lifelike.faces.regions import Regions, face_regions
from lifelike.imaging.colour import from_display, to_display
from lifelike.inversion import WeightChange, invert, refine, tune
from lifelike.networks.encoder import Latent
from lifelike.restoration import needed
from lifelike.stage_clock import STARTS, STARTS_LOOKING_LONGER, Report, StageClock, layers_of
from lifelike.transfer import SINGLE_MODE, Transfer
from lifelike_protocol.messages import Array, FaceResult, Frame, Method, Settings, Stage


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


FIRST_PASS, PREVIEWED = 0.03, 0.08
"""Where, within such an inversion, the encoder's one pass and the preview end."""


@frozen
class PipelineResult:
    """pixels: the frame's own shape, dtype and encoding. timings: seconds per stage, and "total"."""

    pixels: Array
    faces: tuple[FaceResult, ...]
    timings: dict[str, float]


@define
class Portrait:
    """One face on its way.

    before, after: (R, R, 3) float32, 0…1. transform: (3, 3), portrait to frame. latent: None once it is not needed.
    """

    face: LocatedFace
    before: Array
    transform: Array
    latent: Latent | None = None
    after: Array | None = None

    @property
    def landmarks(self) -> Array:
        """(68, 2), portrait pixels."""
        return transform_points(np.linalg.inv(self.transform), self.face.landmarks)

    def regions(self) -> Regions:
        """Where the parts of the face are."""
        return face_regions(self.before, self.landmarks)


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
            LifelikeError: NO_FACE, INVALID_SETTING, INVALID_BUNDLE for one without an encoder, and whatever `report`
                raises.
        """
        self.bundle.needed_encoder()
        listener = listener or Listener()
        longer = settings.inversion.refine + settings.inversion.tune > 0
        clock = StageClock(report, STARTS_LOOKING_LONGER if longer else STARTS)
        with clock.stage(Stage.LOCATE):
            display = to_display(frame.pixels, frame.encoding)
            locator = None if self.bundle.locator is None else self.bundle.locator.locate
            faces = locate_faces(display, frame.faces, locator, str(self.bundle.device))
        with clock.stage(Stage.ALIGN):
            portraits = [self._align(display, face) for face in clock.each(faces)]
        with clock.stage(Stage.INVERT):
            self._invert(portraits, clock, FIRST_PASS if longer else 1.0)
            if longer and listener.preview is not None:
                with clock.part(FIRST_PASS, PREVIEWED):
                    listener.preview(self._preview(display, portraits, settings, clock, frame))
            if longer:
                self._look_longer(portraits, settings, clock, listener)
        with clock.stage(Stage.TRANSFER):
            self._transfer(portraits, settings, clock)
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

    def _invert(self, portraits: list[Portrait], clock: StageClock, share: float) -> None:
        """The encoder's one pass, the first `share` of the stage."""
        with clock.part(0.0, share), clock.inside(layers_of(self.bundle.needed_encoder())):
            for portrait in clock.each(portraits):
                portrait.latent = invert(self.bundle, to_tensor(portrait.before))

    def _preview(
        self, display: Array, portraits: list[Portrait], settings: Settings, clock: StageClock, frame: Frame
    ) -> Array:
        """The frame as the encoder's one pass would leave it."""
        self._transfer(portraits, settings, clock)
        changed = display
        for portrait in portraits:
            changed, _ = self._put_back(changed, portrait)
        return from_display(changed, display, frame.pixels, frame.encoding)

    def _look_longer(
        self, portraits: list[Portrait], settings: Settings, clock: StageClock, listener: Listener
    ) -> None:
        """Refine each portrait's latent, then tune the generators to it."""
        inversion = settings.inversion
        steps = (inversion.refine + inversion.tune) * len(portraits)
        for index, portrait in enumerate(portraits):
            assert portrait.latent is not None
            before, face = to_tensor(portrait.before), portrait.regions().face
            done = (inversion.refine + inversion.tune) * index

            def tell(step: int, error: float, done: int = done) -> None:
                listener.error(error)
                clock.advance(PREVIEWED + (1 - PREVIEWED) * (done + step) / steps)

            if inversion.refine:
                portrait.latent = refine(self.bundle, before, portrait.latent, inversion.refine, tell, face)
            done += inversion.refine
            if inversion.tune:
                change = tune(self.bundle, before, portrait.latent, inversion.tune, partial(tell, done=done), face)
                # Decoded at once: a frame of many faces would hold many copies of the weights.
                portrait.after, portrait.latent = self._decoded(portrait, settings, change), None
        listener.error(None)

    def _transfer(self, portraits: list[Portrait], settings: Settings, clock: StageClock) -> None:
        """Decode every portrait that still has a latent to be decoded."""
        with clock.inside(self.bundle.photo.synthesis.children()):
            for portrait in clock.each(portraits):
                if portrait.latent is not None:
                    portrait.after = self._decoded(portrait, settings)

    def _decoded(self, portrait: Portrait, settings: Settings, change: WeightChange | None = None) -> Array:
        """(R, R, 3) float32, 0…1; change: what tuning found."""
        assert portrait.latent is not None
        decoding = self.transfer.method(settings.method) is Method.DECODE
        made = self.transfer.apply(
            to_tensor(portrait.before),
            portrait.latent,
            settings.method,
            settings.strength,
            change=change,
            regions=portrait.regions() if decoding and needed(settings.restoration) else None,
            restoration=settings.restoration,
        )
        return to_picture(made)

    @staticmethod
    def _put_back(display: Array, portrait: Portrait) -> tuple[Array, Array]:
        """The frame with one face put back, and the mask (H, W) uint8 under which that was done."""
        face, after = portrait.face, portrait.after
        assert after is not None
        shape = display.shape[:2]
        mask = face_mask(face.landmarks, shape) if face.mask is None else soft_mask(face.mask, face.landmarks)
        return composite(display, after - portrait.before, portrait.transform, mask), mask

    def _composite(self, display: Array, portrait: Portrait) -> tuple[Array, FaceResult]:
        """The frame with one face put back, and what is said of that face."""
        changed, mask = self._put_back(display, portrait)
        face, before, after = portrait.face, portrait.before, portrait.after
        assert after is not None
        x0, y0, x1, y1 = mask_box(mask)
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
            landmark_drift=landmark_drift(self.bundle, before, after, portrait.landmarks),
        )
        warnings = likeness_warnings(result, self.bundle)
        return changed, evolve(result, warnings=(SINGLE_MODE, *warnings) if self.bundle.single else warnings)


def to_tensor(picture: Array) -> Tensor:
    """(R, R, 3) float32, 0…1 → [1, 3, R, R], −1…1."""
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None] * 2 - 1


def to_picture(tensor: Tensor) -> Array:
    """[1, 3, R, R], −1…1 → (R, R, 3) float32, 0…1."""
    return np.ascontiguousarray(((tensor[0].float() + 1) / 2).permute(1, 2, 0).numpy())


def to_bytes(picture: Array) -> Array:
    """(R, R, 3) float32, 0…1 → uint8."""
    return (picture.clip(0, 1) * 255 + 0.5).astype(np.uint8)
