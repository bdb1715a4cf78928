# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that is not here whole yet: the bytes so far, and what the server said they are the beginning of."""

from __future__ import annotations

import json
from pathlib import Path

from attrs import asdict, frozen


@frozen
class Origin:
    """Which file of which server the bytes are of.

    validator: its strong ETag or modification date, what `If-Range` takes (RFC 9110, 13.1.5); "" where it gave neither.
    total: its bytes, 0 where it did not say.
    """

    address: str
    validator: str = ""
    total: int = 0


class Partial:
    """The two hidden files beside the one to come.

    Attributes:
        target: the one to come. path: the bytes so far.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f".{target.name}.partial")
        self._notes = target.with_name(f".{target.name}.partial.json")

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def origin(self) -> Origin | None:
        """What was noted when it was begun; None when nothing readable was."""
        try:
            noted = json.loads(self._notes.read_text("utf-8"))
            return Origin(str(noted["address"]), str(noted["validator"]), int(noted["total"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def begin(self, origin: Origin) -> None:
        """Start with no bytes."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(b"")
        self._notes.write_text(json.dumps(asdict(origin)), "utf-8")

    def finish(self) -> None:
        """It is whole: give it its name."""
        self.path.replace(self.target)
        self._notes.unlink(missing_ok=True)

    def discard(self) -> None:
        """Delete it."""
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)
