# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is already, shown where the result will be."""

from __future__ import annotations

import bpy

from lifelike_protocol.messages import Preview

from .image import put_file, put_picture, result_image


class ShownPreview:
    """A preview in the image that a result called `name` will take.

    No result is lost by it: what an earlier run left in that image is kept until the new result is there.
    """

    def __init__(self, preview: Preview, name: str) -> None:
        self._name = name
        before = result_image(name)
        packed = before.packed_file if before is not None else None
        self._before = (bytes(packed.data), before.colorspace_settings.name) if packed is not None else None
        self.image = put_picture(preview.pixels, preview.encoding, name)

    def take_back(self) -> None:
        """There will be no result: the image is again as it was, or gone where there was none."""
        if self._before is not None:
            put_file(*self._before, self._name)
            return
        image = result_image(self._name)
        if image is not None:
            bpy.data.images.remove(image)
