# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders of a checkout, and what the installer puts into them. All of the latter may be deleted at any time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """The folders of the checkout at `root`."""

    root: Path

    @property
    def addon(self) -> Path:
        """The extension's source."""
        return self.root / "blender_addon"

    @property
    def protocol(self) -> Path:
        """The source of the package that backend and extension share."""
        return self.root / "shared" / "lifelike_protocol"

    @property
    def constraints(self) -> Path:
        """The versions known to work together."""
        return self.root / "constraints.txt"

    @property
    def backend_environment(self) -> Path:
        """The backend's virtual environment."""
        return self.root / ".venv"

    @property
    def environments(self) -> Path:
        """Other virtual environments: Blender as a Python module, one version each."""
        return self.root / ".envs"

    @property
    def cache(self) -> Path:
        """Downloads, logs and the demo's Blender folder."""
        return self.root / ".cache"

    @property
    def logs(self) -> Path:
        """What pip and Blender said, one file a step."""
        return self.cache / "logs"

    @property
    def distribution(self) -> Path:
        """Where the extension's zip goes."""
        return self.root / "dist"

    @property
    def demo_output(self) -> Path:
        """Where the demo's pictures go unless told otherwise."""
        return self.root / "demo_output"


def this_checkout() -> Places:
    """The checkout that this file belongs to."""
    return Places(Path(__file__).resolve().parent.parent)
