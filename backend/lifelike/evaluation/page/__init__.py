# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one self-contained HTML page."""
