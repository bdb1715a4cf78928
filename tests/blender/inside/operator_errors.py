# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in Blender: what the operator says when it cannot work, and that nothing is left behind then."""

import addon
import bpy

addon.enable()
bpy.data.images.new("Grey", 64, 64)
bpy.data.objects["Camera"].select_set(True)
images = {image.name for image in bpy.data.images}


def refused(**arguments: object) -> str:
    try:
        bpy.ops.lifelike.make_realistic(**arguments)
    except RuntimeError as error:
        return str(error)
    return ""


addon.tell(
    no_output=refused(source="IMAGE", image="Grey", outputs=set()),
    no_image=refused(source="IMAGE"),
    no_object=refused(source="IMAGE", image="Grey", outputs={"IMAGE", "TEXTURE"}),
    not_a_mesh=refused(source="IMAGE", image="Grey", outputs={"TEXTURE"}, texture_object="Camera"),
    no_render=refused(source="RENDER"),
    no_face=refused(source="IMAGE", image="Grey"),
    no_bundle=refused(source="IMAGE", image="Grey", bundle="nowhere"),
)
addon.tell(left=sorted({image.name for image in bpy.data.images} - images - {"Render Result", "Viewer Node"}))
