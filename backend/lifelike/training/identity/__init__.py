# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the identity network: who is in the picture."""
