# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON report of `lifelike enhance`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from attrs import asdict

from lifelike.whole_files import write_whole
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import FaceResult, Provenance, Result
from lifelike_protocol.terms import terms_text


def success(picture: Path, output: Path, result: Result) -> dict[str, Any]:
    """What was done to one picture."""
    return {
        "input": str(picture),
        "output": str(output),
        "faces": [_face(face) for face in result.faces],
        "timings": result.timings,
        "provenance": asdict(result.provenance),
    }


def described(made_by: Provenance) -> str:
    """The provenance as one line of ASCII, for a picture's own metadata; of a bundle's path the name alone."""
    return json.dumps({**asdict(made_by), "bundle": Path(made_by.bundle).name}, default=str)


def failure(picture: Path, error: LifelikeError) -> dict[str, Any]:
    """Why one picture was not done."""
    return {
        "input": str(picture),
        "error": {"code": error.code.value, "what": error.what, "remedy": error.remedy},
    }


def terms(pictures: list[dict[str, Any]]) -> list[str]:
    """What the pictures' use is bound to, each only once; nothing for a bundle that allows everything."""
    told = (terms_text(Provenance(**picture["provenance"])) for picture in pictures if "provenance" in picture)
    return [text for text in dict.fromkeys(told) if text]


def _face(face: FaceResult) -> dict[str, Any]:
    return {
        "name": face.name,
        "landmark_source": face.landmark_source.value,
        "landmarks": face.landmarks.tolist(),
        "box": list(face.box),
        "identity_similarity": face.identity_similarity,
        "landmark_drift": face.landmark_drift,
        "warnings": list(face.warnings),
    }


def write_report(path: Path, pictures: list[dict[str, Any]]) -> None:
    """Write the report whole or not at all, in place of an older one.

    Raises:
        LifelikeError: INVALID_FILE.
    """
    text = json.dumps({"pictures": pictures}, indent=2, default=str)
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise LifelikeError(
            ErrorCode.INVALID_FILE, f"The report {path} can't be written ({error.strerror}).", "Choose another file."
        ) from error
