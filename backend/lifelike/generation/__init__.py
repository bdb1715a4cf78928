# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures straight from latents, to see what a bundle's generators can do."""
