# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials of the render look: clean and slightly plastic, coloured by the meshes' own colour attribute."""

from __future__ import annotations

import bpy

COLOUR_ATTRIBUTE = "colour"


def coloured(name: str, roughness: float, specular: float = 0.5) -> bpy.types.Material:
    """A glossy plastic whose base colour is the mesh's colour attribute."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = nodes["Principled BSDF"]
    shader.inputs["Roughness"].default_value = roughness
    shader.inputs["Specular IOR Level"].default_value = specular
    attribute = nodes.new("ShaderNodeAttribute")
    attribute.attribute_name = COLOUR_ATTRIBUTE
    attribute.location = (-250, 250)
    links.new(attribute.outputs["Color"], shader.inputs["Base Color"])
    return material


def plain(name: str, colour: tuple[float, float, float], roughness: float) -> bpy.types.Material:
    """One flat colour."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = roughness
    shader.inputs["Specular IOR Level"].default_value = 0.1
    return material


def clear(name: str) -> bpy.types.Material:
    """The cornea: fully transparent but for its reflections (cheaper and cleaner than refraction)."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    fresnel = nodes.new("ShaderNodeFresnel")
    fresnel.inputs["IOR"].default_value = 1.38
    glass = nodes.new("ShaderNodeBsdfTransparent")
    gloss = nodes.new("ShaderNodeBsdfGlossy")
    gloss.inputs["Roughness"].default_value = 0.06
    mix = nodes.new("ShaderNodeMixShader")
    output = nodes.new("ShaderNodeOutputMaterial")
    links.new(fresnel.outputs[0], mix.inputs[0])
    links.new(glass.outputs[0], mix.inputs[1])
    links.new(gloss.outputs[0], mix.inputs[2])
    links.new(mix.outputs[0], output.inputs["Surface"])
    return material
