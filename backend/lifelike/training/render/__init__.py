# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike train render`: the photo generator's copy, fine-tuned on renders and held to its parent."""
