# SPDX-License-Identifier: GPL-3.0-or-later
"""A data set of aligned portraits from loose pictures: found, measured, aligned, and refused with a reason."""
