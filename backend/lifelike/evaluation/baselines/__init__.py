# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bundle has to stand beside: colour transfers that need no network, and a plain U-Net."""
