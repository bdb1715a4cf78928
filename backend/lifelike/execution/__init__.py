# SPDX-License-Identifier: GPL-3.0-or-later
"""How the networks are run fast: compiled kernels, precision, a GPU's graphs. What they compute is in `networks`."""
