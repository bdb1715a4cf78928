# SPDX-License-Identifier: GPL-3.0-or-later
"""Viewport, render result or image → `Frame`, with the faces the scene itself knows.

Every function runs on the main thread, in background mode too, and leaves the scene's settings as
they were. Frames hold float32 or uint8 pixels, row 0 on top, three channels, or four where something
is transparent (straight alpha in display-referred frames).
"""

from .image import capture_image
from .render_result import capture_render_result
from .viewport import capture_viewport

__all__ = ["capture_image", "capture_render_result", "capture_viewport"]
