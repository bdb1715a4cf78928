# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks to start from, by whatever a setting names: a safetensors file, the folder of a run, or a bundle.

All come on the CPU, in training mode, with gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import cattrs
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from lifelike.bundles import Bundle, find_bundle, read_bundle
from lifelike.bundles.bundle import read_generators
from lifelike.bundles.file import CARD_KEY
from lifelike.bundles.registry import names_path
from lifelike.networks.encoder import Encoder, EncoderSettings
from lifelike.networks.encoders import AnyEncoder
from lifelike.networks.face_locator import FaceLocator
from lifelike.networks.identities import AnyIdentity, build_identity
from lifelike.networks.stylegan2 import Discriminator, Generator, GeneratorSettings
from lifelike.networks.unfilled import unfilled
from lifelike.networks.weights import load_weights
from lifelike_protocol.errors import ErrorCode, LifelikeError

Network = TypeVar("Network", bound=nn.Module)


def load_generator(
    source: str | Path, look: Literal["photo", "render"] = "photo", resolution: int | None = None
) -> Generator:
    """A generator.

    Args:
        source: a safetensors file of kind "generator", the folder of a run, or a bundle's name or path.
        look: which one of a pair.
        resolution: which it must have; None takes any.

    Raises:
        LifelikeError: INVALID_FILE or INVALID_BUNDLE where there is no such network or it is damaged, UNKNOWN_BUNDLE,
            INVALID_SETTING for another resolution.
    """
    found = _find(source, look, read_generators)
    if isinstance(found, Path):
        generator = _read(found, "generator", Generator, GeneratorSettings)
    else:
        of_bundle = found.photo if look == "photo" else found.render
        if of_bundle is None:
            raise _lacking(source, "render generator")
        generator = of_bundle
    _check_resolution(source, generator.settings.resolution, resolution)
    return generator.train().requires_grad_(True)


def load_discriminator(source: str | Path, resolution: int | None = None) -> Discriminator:
    """A discriminator, from a file of that kind or the folder of a run; arguments and errors as `load_generator`'s."""
    found = _find(source, "discriminator")
    if isinstance(found, Bundle):
        raise _lacking(source, "discriminator")
    discriminator = _read(found, "discriminator", Discriminator, GeneratorSettings)
    _check_resolution(source, discriminator.settings.resolution, resolution)
    return discriminator.train().requires_grad_(True)


def has_discriminator(source: str | Path) -> bool:
    """Whether `source` is the folder of a run with a discriminator; bundles and files of generators have none."""
    return (Path(source).expanduser() / "discriminator.safetensors").is_file()


def load_encoder(source: str | Path) -> AnyEncoder:
    """An encoder of any kind; source and errors as `load_generator`'s."""
    found = _find(source, "encoder")
    encoder = _read(found, "encoder", Encoder, EncoderSettings) if isinstance(found, Path) else found.encoder
    if encoder is None:
        raise _lacking(source, "encoder")
    return encoder.train().requires_grad_(True)


def load_small_encoder(source: str | Path, resolution: int | None = None) -> Encoder:
    """An encoder that is trained here; arguments and errors as `load_generator`'s, INVALID_BUNDLE for e4e's."""
    encoder = load_encoder(source)
    if not isinstance(encoder, Encoder):
        what = f"The encoder of {source} is an e4e encoder, which is used as it was published and not trained on."
        raise LifelikeError(ErrorCode.INVALID_BUNDLE, what, "Begin with a new encoder, or one that was trained here.")
    _check_resolution(source, encoder.settings.resolution, resolution)
    return encoder


def load_identity(source: str | Path) -> AnyIdentity:
    """An identity network, frozen and in evaluation mode; errors as `load_generator`'s."""
    found = _find(source, "identity")
    identity = _read(found, "identity", build_identity, None) if isinstance(found, Path) else found.identity
    if identity is None:
        raise _lacking(source, "identity network")
    return identity.eval().requires_grad_(False)


def load_locator(source: str | Path) -> FaceLocator:
    """A face locator; errors as `load_generator`'s."""
    found = _find(source, "locator")
    locator = _read(found, "locator", FaceLocator, None) if isinstance(found, Path) else found.locator
    if locator is None:
        raise _lacking(source, "face locator")
    return locator.train().requires_grad_(True)


def _find(source: str | Path, name: str, read: Callable[[Path], Bundle] = read_bundle) -> Path | Bundle:
    """The network's own file, or the bundle it is in."""
    path = Path(source).expanduser()
    if path.is_dir() and not (path / "card.json").exists():
        file = path / f"{name}.safetensors"
        if file.exists():
            return file
        what = f"The folder {source} has no {name}.safetensors."
        remedy = "Give the folder of a run that trains this network and has written its first checkpoint, or a file."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, remedy)
    if path.is_file() and not _is_bundle(path):
        return path
    if names_path(str(source)):
        if not path.exists():
            what = f"There is no file or folder {source}."
            raise LifelikeError(ErrorCode.INVALID_FILE, what, "Give a network's file, a run's folder, or a bundle.")
        return read(path)
    return read(find_bundle(str(source)))


def _is_bundle(file: Path) -> bool:
    try:
        with safe_open(file, framework="pt") as opened:
            return CARD_KEY in (opened.metadata() or {})
    except (OSError, SafetensorError):
        return False  # reading it as a network tells what is wrong


def _read(file: Path, kind: str, build: Callable[[Any], Network], settings_class: type | None) -> Network:
    """Build the network its file describes; tensors are compared before memory is taken for them."""
    settings, state, _ = load_weights(file, kind)
    try:
        with unfilled():
            network = build(cattrs.structure(settings, settings_class) if settings_class else settings)
        _fill(network, state)
    except (cattrs.BaseValidationError, RuntimeError, ValueError, TypeError, KeyError) as error:
        what = f"The network in {file} does not fit its own settings ({type(error).__name__})."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, f"Train the {kind} network again.") from error
    return network


def _fill(network: nn.Module, state: dict[str, Tensor]) -> None:
    network.load_state_dict(state, assign=True)


def _check_resolution(source: Any, found: int, wanted: int | None) -> None:
    if wanted is not None and found != wanted:
        what = f"The network of {source} is for {found} pixels, and {wanted} are needed."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Choose another network, or another resolution.")


def _lacking(source: Any, name: str) -> LifelikeError:
    what = f"The bundle {source} has no {name}."
    return LifelikeError(ErrorCode.INVALID_BUNDLE, what, "Choose another bundle, or the folder of a run.")
