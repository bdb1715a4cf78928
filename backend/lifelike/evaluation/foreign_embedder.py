# SPDX-License-Identifier: GPL-3.0-or-later
"""Anybody's face recogniser as a judge: ``FILE.onnx`` or TorchScript, with the input it was made for spelt out.

    lifelike evaluate … --embedder arcface.onnx,crop=arcface,size=112,range=signed,channels=bgr,name=ArcFace

crop: "arcface" (the part of an FFHQ-aligned portrait that pSp, Richardson et al. 2021, gives to ArcFace), "inner" (our
    own networks'), "portrait" (all of it), or x0:y0:x1:y1 as shares of the portrait.
size: pixels a side; else the file's own, else 112.
range: "signed" −1…1, "unit" 0…1, "byte" 0…255, "imagenet" (unit, less the mean, by the spread of ImageNet).
channels: "rgb" or "bgr".

One picture input, one output (N, D); a batch axis fixed at 1 and the layout NHWC are recognised from an ONNX file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attrs import evolve, frozen
from torch import Tensor

from lifelike.evaluation.embedder import Embedder
from lifelike.networks.inner_face import INNER_FACE, inner_face
from lifelike_protocol.errors import ErrorCode, LifelikeError

CROPS = {
    "arcface": (32 / 256, 35 / 256, 220 / 256, 223 / 256),  # pSp's crop of a 256-pixel portrait
    "inner": INNER_FACE,
    "portrait": (0.0, 0.0, 1.0, 1.0),
}
RANGES = ("signed", "unit", "byte", "imagenet")
CHANNELS = ("rgb", "bgr")
DEFAULT_SIZE = 112  # ArcFace (Deng et al. 2019)
LARGEST_SIZE = 1024
KEYS = ("crop", "size", "range", "channels", "name")

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_SPREAD = (0.229, 0.224, 0.225)


@frozen
class InputConvention:
    """What a recogniser wants to be given; size 0: the file's own."""

    crop: tuple[float, float, float, float] = CROPS["arcface"]
    size: int = 0
    range: str = "signed"
    channels: str = "rgb"

    def prepare(self, portraits: Tensor) -> Tensor:
        """[N3RR] −1…1 RGB → [N3SS] as the recogniser wants it."""
        inner = inner_face(portraits, self.crop, self.size or DEFAULT_SIZE)
        if self.range != "signed":
            inner = (inner + 1) / 2
        if self.range == "byte":
            inner = inner * 255
        if self.range == "imagenet":
            mean, spread = (torch.tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_SPREAD))
            inner = (inner - mean) / spread
        return inner.flip(1) if self.channels == "bgr" else inner


def load_foreign_embedder(text: str, number: int) -> Embedder:
    """A recogniser as the command line names it.

    Args:
        text: ``FILE[,key=value…]``.
        number: which of the foreign ones, for its key.

    Raises:
        LifelikeError: INVALID_FILE for a missing or unreadable file or one that doesn't give an embedding;
            INVALID_SETTING for an unknown key or value.
    """
    file, convention, name = parse(text)
    if not file.is_file():
        raise LifelikeError(
            ErrorCode.INVALID_FILE, f"There is no embedder {file}.", "Give an .onnx or TorchScript file."
        )
    run, convention = (_onnx if file.suffix.lower() == ".onnx" else _torchscript)(file, convention)
    embedder = Embedder(
        f"embedder{number}",
        name or file.stem,
        f"Given as a file ({file.name}); {_described(convention)}.",
        lambda portraits: run(convention.prepare(portraits)),
    )
    _try_out(embedder, file)
    return embedder


def parse(text: str) -> tuple[Path, InputConvention, str]:
    """``FILE[,key=value…]`` → file, convention, name ("" where none is given).

    Raises:
        LifelikeError: INVALID_SETTING naming the key.
    """
    path, *settings = text.split(",")
    convention, name = InputConvention(), ""
    for setting in settings:
        key, _, value = (part.strip() for part in setting.partition("="))
        if key == "name":
            name = value
        elif key == "crop":
            convention = evolve(convention, crop=_crop(value))
        elif key == "size" and value.isdecimal() and 8 <= int(value) <= LARGEST_SIZE:
            convention = evolve(convention, size=int(value))
        elif key == "range" and value in RANGES:
            convention = evolve(convention, range=value)
        elif key == "channels" and value in CHANNELS:
            convention = evolve(convention, channels=value)
        else:
            raise _refused(setting)
    return Path(path).expanduser(), convention, name


def _crop(value: str) -> tuple[float, float, float, float]:
    if value in CROPS:
        return CROPS[value]
    try:
        x0, y0, x1, y1 = (float(number) for number in value.split(":"))
    except ValueError:
        raise _refused(f"crop={value}") from None
    if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
        raise _refused(f"crop={value}")
    return x0, y0, x1, y1


def _refused(setting: str) -> LifelikeError:
    return LifelikeError(
        ErrorCode.INVALID_SETTING,
        f"The embedder's setting {setting!r} is not understood.",
        f"Settings are crop ({', '.join(CROPS)} or x0:y0:x1:y1 as shares), size (8 to {LARGEST_SIZE}), "
        f"range ({', '.join(RANGES)}), channels ({', '.join(CHANNELS)}) and name.",
    )


def _described(convention: InputConvention) -> str:
    box = " ".join(f"{share:.3f}" for share in convention.crop)
    size = convention.size or DEFAULT_SIZE
    return f"crop {box} at {size} pixels, range {convention.range}, channels {convention.channels}"


Run = Callable[[Tensor], Tensor]


def _onnx(file: Path, convention: InputConvention) -> tuple[Run, InputConvention]:
    """Run an ONNX file on the CPU by onnxruntime."""
    try:
        import onnxruntime
    except ImportError as error:
        raise LifelikeError(
            ErrorCode.INVALID_FILE, "ONNX embedders need onnxruntime.", "Run: pip install 'lifelike[train]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # failures come back as exceptions
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no base of theirs
        raise _unreadable(file, error) from error
    wanted = session.get_inputs()[0]
    shape = list(wanted.shape)
    if len(session.get_inputs()) != 1 or len(shape) != 4:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"The embedder {file} doesn't take one batch of pictures.",
            "Give a recogniser with a single input of four axes.",
        )
    channels_last = shape[3] == 3 and shape[1] != 3
    side = shape[1] if channels_last else shape[2]
    if isinstance(side, int) and side > 0:
        if convention.size not in (0, side):
            raise LifelikeError(
                ErrorCode.INVALID_SETTING,
                f"The embedder {file} takes pictures of {side} pixels, not {convention.size}.",
                f"Leave size away, or say size={side}.",
            )
        convention = evolve(convention, size=side)
    one_by_one = shape[0] == 1
    half = "float16" in wanted.type

    def run(crops: Tensor) -> Tensor:
        pictures = (crops.permute(0, 2, 3, 1) if channels_last else crops).contiguous().numpy()
        pictures = pictures.astype(np.float16 if half else np.float32)
        parts = [pictures[i : i + 1] for i in range(len(pictures))] if one_by_one else [pictures]
        answers = [np.asarray(session.run(None, {wanted.name: part})[0], np.float32) for part in parts]
        return torch.from_numpy(np.concatenate(answers))

    return run, convention


def _torchscript(file: Path, convention: InputConvention) -> tuple[Run, InputConvention]:
    """Run a TorchScript file on the CPU."""
    try:
        network: Any = torch.jit.load(str(file), map_location="cpu").eval()
    except Exception as error:  # damaged files raise anything from RuntimeError to ValueError
        raise _unreadable(file, error) from error

    def run(crops: Tensor) -> Tensor:
        with torch.no_grad():
            answer = network(crops)
        return answer[0] if isinstance(answer, (tuple, list)) else answer

    return run, convention


def _unreadable(file: Path, error: Exception) -> LifelikeError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return LifelikeError(
        ErrorCode.INVALID_FILE,
        f"The embedder {file} cannot be read ({reason}).",
        "Give an ONNX file named .onnx, or a TorchScript file written by torch.jit.save.",
    )


def _try_out(embedder: Embedder, file: Path) -> None:
    """Run it once, so that a wrong convention is told before the work begins."""
    try:
        answer = embedder.embed(np.full((2, 64, 64, 3), 128, np.uint8))
        if answer.ndim != 2 or len(answer) != 2 or answer.shape[1] < 2:
            raise ValueError(f"it gives an array of the shape {answer.shape}, not one embedding a picture")
        if not np.isfinite(answer).all():
            raise ValueError("its embedding of a grey picture is not finite")
    except LifelikeError:
        raise
    except Exception as error:  # whatever a foreign network raises
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"The embedder {file} cannot be used on portraits ({reason}).",
            "Say what it takes with size=, range= and channels=.",
        ) from error
