# SPDX-License-Identifier: GPL-3.0-or-later
"""`Result` → image, texture on an object's material, compositor node.

Each function runs on the main thread and in background mode. What it makes carries a mark, so that the next
run updates it in place; what it did not make is never overwritten.
"""

from .compositor import deliver_compositor
from .image import deliver_image, deliver_mask
from .texture import deliver_texture

__all__ = ["deliver_compositor", "deliver_image", "deliver_mask", "deliver_texture"]
