# SPDX-License-Identifier: GPL-3.0-or-later
"""Random changes to the pictures that a discriminator sees."""
