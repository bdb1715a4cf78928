# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a file is not taken, told inside this package; `detection.read_foreign` adds the file's name."""

from __future__ import annotations

GET_AGAIN = "Get the file again, and compare its size and SHA-256 with the published ones."
TAKEN = (
    "Give a StyleGAN2 generator (NVIDIA's .pkl, rosinality's .pt), an e4e encoder, an ArcFace IR-SE50 network, "
    "safetensors with such names, or a file of Lifelike's own."
)


class Refused(Exception):
    """A file that is not taken.

    Args:
        why: continues the sentence "The file NAME cannot be imported: …".
        remedy: one sentence, what to do.
    """

    def __init__(self, why: str, remedy: str = GET_AGAIN) -> None:
        super().__init__(why)
        self.why, self.remedy = why, remedy


def printable(value: object, longest: int = 80) -> str:
    """What a file says, made fit for one line on a terminal; of a container only the type, as it may be endless."""
    shown = str(value) if isinstance(value, (str, int, float)) else type(value).__name__
    shown = "".join(character if character.isprintable() else "�" for character in shown[: longest + 1])
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"
