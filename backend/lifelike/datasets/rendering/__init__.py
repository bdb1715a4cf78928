# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike dataset render`: portraits of a person's own characters, rendered by Blender in processes of its own."""
