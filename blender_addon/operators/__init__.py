# SPDX-License-Identifier: GPL-3.0-or-later
"""One file for each thing a person does."""

from . import (
    cancel,
    make_realistic,
    open_log,
    open_preferences,
    show_result,
    start_backend,
    stop_backend,
    test_connection,
    use_shown_image,
)

CLASSES = (
    *make_realistic.CLASSES,
    *cancel.CLASSES,
    *show_result.CLASSES,
    *start_backend.CLASSES,
    *stop_backend.CLASSES,
    *test_connection.CLASSES,
    *open_log.CLASSES,
    *open_preferences.CLASSES,
    *use_shown_image.CLASSES,
)
