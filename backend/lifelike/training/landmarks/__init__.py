# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the face locator: where faces are, and their 68 landmarks."""
