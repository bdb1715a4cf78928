# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures from files and into files, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from lifelike.imaging.colour import to_display
from lifelike.imaging.decoding import Unreadable, decode
from lifelike.imaging.views import srgb_decoded
from lifelike.whole_files import written_whole
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Array, Encoding, Frame, Source

DEPTHS = {
    ".png": ("uint8", "uint16"),
    ".jpg": ("uint8",),
    ".jpeg": ("uint8",),
    ".tif": ("uint8", "uint16", "float"),
    ".tiff": ("uint8", "uint16", "float"),
    ".exr": ("half", "float"),
}
"""What each kind of file can hold."""
JPEG_QUALITY = 95
PNG_LEVEL = 1
"""What Blender's own 15 % comes to. 4 takes half as long again for files a sixth smaller."""


def read_picture(path: Path | str) -> Frame:
    """The picture in a PNG, JPEG, TIFF or EXR file, or in another kind that Pillow or OpenImageIO reads.

    Grey, palette and CMYK pictures become RGB; an embedded orientation and colour profile are carried out.
    Of an EXR file with several layers the finished picture is taken (plain RGB, else a combined pass).

    Returns:
        A frame with pixels (H, W, 3) or, with alpha, (H, W, 4). 8 bits a channel stay uint8; other integers
        become float32 0…1; both are display-referred sRGB with alpha not multiplied in. Half and float stay
        what they are and are scene-linear with alpha multiplied in, as EXR has it.

    Raises:
        LifelikeError: INVALID_FILE, naming the file.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise Unreadable("is a folder" if path.is_dir() else "does not exist")
        if path.stat().st_size == 0:
            raise Unreadable("is empty")
        decoded = decode(path)
    except Unreadable as reason:
        raise _refusal(f"{path} {reason}.", "Choose a PNG, JPEG, TIFF or EXR picture.") from reason
    except OSError as failure:
        raise _refusal(f"{path} cannot be read: {failure.strerror or failure}.", "Check its permissions.") from failure
    return Frame(decoded.pixels, Encoding("scene_linear" if decoded.linear else "display"), source=Source(path.name))


def write_picture(
    path: Path | str,
    pixels: Array,
    encoding: Encoding,
    force: bool = False,
    depth: str = "",
    description: str = "",
) -> None:
    """Writes a picture in the format of the file's name; the file appears whole or not at all.

    Scene-linear pixels go through their view into PNG, JPEG and 8 or 16 bit TIFF; display-referred ones become
    linear in EXR and floating point TIFF. JPEG has no alpha: what is transparent becomes black.

    Args:
        path: ends in .png, .jpg, .jpeg, .tif, .tiff or .exr.
        pixels: (H, W, 3) or (H, W, 4), uint8, float16 or float32.
        encoding: what they mean.
        force: overwrite a file that is there.
        depth: "uint8", "uint16", "half" or "float"; by default the least that loses nothing.
        description: ASCII, kept in the file's own metadata: "Description" of a PNG, else "ImageDescription".

    Raises:
        LifelikeError: INVALID_FILE where the file exists and `force` is not set, cannot be written, or has an
            unknown ending; INVALID_SETTING for a depth the format lacks or an unusable encoding.
    """
    path = Path(path)
    check_writable(path, force)
    depth = depth or _fitting_depth(path.suffix.lower(), pixels, encoding)
    if depth not in DEPTHS[path.suffix.lower()]:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"A {path.suffix} file cannot hold “{depth}” pixels.",
            f"Choose among {', '.join(DEPTHS[path.suffix.lower()])}.",
        )
    values = _linear(pixels, encoding) if depth in ("half", "float") else _shown(pixels, encoding)
    try:
        with _replacing(path, force) as unfinished:
            if depth == "uint8":
                _save_bytes(unfinished, values, description)
            else:
                _save_fine(unfinished, values, depth, description)
    except OSError as failure:
        reason = os.strerror(failure.errno) if failure.errno else failure
        raise _refusal(
            f"{path} could not be written: {reason}.", "Free some space, or choose another folder; nothing was changed."
        ) from failure


def check_writable(path: Path, force: bool) -> None:
    """Refuses early what `write_picture` would refuse late.

    Raises:
        LifelikeError: INVALID_FILE.
    """
    if path.suffix.lower() not in DEPTHS:
        raise _refusal(f"{path} has no ending that says how to write it.", "End it in .png, .jpg, .tif or .exr.")
    if path.is_dir():
        raise _refusal(f"{path} is a folder.", "Name a file in it.")
    if path.exists() and not force:
        raise _refusal(f"{path} exists already.", "Choose another name, or overwrite it with --force.")
    if not path.parent.is_dir():
        raise _refusal(f"The folder {path.parent} does not exist.", "Create it, or choose another.")


def _refusal(what: str, remedy: str) -> LifelikeError:
    return LifelikeError(ErrorCode.INVALID_FILE, what, remedy)


def _fitting_depth(suffix: str, pixels: Array, encoding: Encoding) -> str:
    """The least depth that loses nothing, or the most the format has."""
    if suffix == ".exr":
        return "float" if pixels.dtype == np.float32 else "half"
    if pixels.dtype == np.uint8:
        return "uint8"
    if encoding.kind != "display" and "float" in DEPTHS[suffix]:
        return "float"
    return "uint16" if "uint16" in DEPTHS[suffix] else "uint8"


def _shown(pixels: Array, encoding: Encoding) -> Array:
    """(H, W, C) uint8, or float32 0…1 display-referred, alpha not multiplied in."""
    if encoding.kind == "display":
        return pixels if pixels.dtype == np.uint8 else np.clip(pixels.astype(np.float32), 0, 1)
    colours, alpha = pixels[:, :, :3], pixels[:, :, 3:].astype(np.float32)
    if alpha.size:
        colours = np.where(alpha > 0, colours.astype(np.float32) / np.where(alpha > 0, alpha, 1), colours)
    return np.concatenate([to_display(colours, encoding), np.clip(alpha, 0, 1)], axis=2)


def _linear(pixels: Array, encoding: Encoding) -> Array:
    """(H, W, C) scene-linear with alpha multiplied in."""
    if encoding.kind != "display":
        return pixels
    values = pixels / np.float32(255) if pixels.dtype == np.uint8 else pixels.astype(np.float32)
    alpha = values[:, :, 3:]
    colours = srgb_decoded(np.clip(values[:, :, :3], 0, 1))
    return np.concatenate([colours * alpha if alpha.size else colours, alpha], axis=2)


@contextmanager
def _replacing(path: Path, force: bool) -> Iterator[Path]:
    """`written_whole` of what a link points to, unless the file has come to be there meanwhile."""
    target = path.resolve()
    with written_whole(target, target.suffix) as unfinished:
        yield unfinished
        if target.exists():
            check_writable(path, force)


def _save_bytes(path: Path, values: Array, description: str) -> None:
    if values.dtype != np.uint8:
        values = np.rint(values * 255).astype(np.uint8)
    if path.suffix.lower() in (".jpg", ".jpeg"):
        if values.shape[2] == 4:
            values = (values[:, :, :3].astype(np.uint16) * values[:, :, 3:] // 255).astype(np.uint8)
        options: dict[str, Any] = {
            "format": "JPEG",
            "quality": JPEG_QUALITY,
            "subsampling": 0,
            "exif": _exif(description),
        }
    elif path.suffix.lower() == ".png":
        texts = PngInfo()
        for key, text in _told(description).items():
            texts.add_text(key.removeprefix("Image"), text)
        options = {"format": "PNG", "compress_level": PNG_LEVEL, "pnginfo": texts}
    else:
        options = {"format": "TIFF", "compression": "tiff_deflate", "exif": _exif(description)}
    Image.fromarray(values).save(path, **options)


def _told(description: str) -> dict[str, str]:
    """The names are those of EXIF and of OpenImageIO, which turns them into each format's own."""
    return {"Software": "Lifelike", "ImageDescription": description} if description else {}


def _exif(description: str) -> Image.Exif:
    exif = Image.Exif()
    for key, text in _told(description).items():
        exif[ExifTags.Base[key]] = text
    return exif


def _save_fine(path: Path, values: Array, depth: str, description: str) -> None:
    if depth == "uint16":
        values = np.rint((values / np.float32(255) if values.dtype == np.uint8 else values) * 65535).astype(np.uint16)
    elif depth == "half":
        limit = float(np.finfo(np.float16).max)
        values = np.clip(values, -limit, limit).astype(np.float16)
    else:
        values = values.astype(np.float32)
    height, width, channels = values.shape
    spec = oiio.ImageSpec(width, height, channels, depth)
    spec.attribute("compression", "zip")
    if depth == "uint16":
        spec.attribute("oiio:UnassociatedAlpha", 1)
    for key, text in _told(description).items():
        spec.attribute(key, text)
    output = oiio.ImageOutput.create(str(path))
    if output is None:
        raise OSError(f"no writer for {path.suffix}: {oiio.geterror()}")
    done = output.open(str(path), spec) and output.write_image(np.ascontiguousarray(values)) and output.close()
    if not done:
        raise OSError(output.geterror().strip() or "the writer failed")
    _check_whole(path)


def _check_whole(path: Path) -> None:
    """Reads a written file once: some writers do not notice a full disk."""
    try:
        decode(path)
    except Unreadable as reason:
        raise OSError(f"what was written {reason}; the disk may be full") from reason
