# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike train photo`: the generator of photographs, StyleGAN2 with adaptive discriminator augmentation."""
