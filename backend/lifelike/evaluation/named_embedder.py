# SPDX-License-Identifier: GPL-3.0-or-later
"""Identity networks named on the command line: anybody's, or one trained with `lifelike train identity`."""

from __future__ import annotations

from lifelike.evaluation.embedder import Embedder
from lifelike.evaluation.foreign_embedder import InputConvention, load_foreign_embedder, parse
from lifelike.training.networks import load_identity
from lifelike_protocol.errors import ErrorCode, LifelikeError


def load_embedder(text: str, number: int) -> Embedder:
    """An identity network as the command line names it.

    Args:
        text: ``SOURCE[,key=value…]``: a folder of a run or a .safetensors file is our own kind of network, which knows
            its input; for all others see `foreign_embedder`.
        number: which of the named ones, for its key.

    Raises:
        LifelikeError: INVALID_FILE or INVALID_BUNDLE for a source that is missing, damaged or no identity network;
            INVALID_SETTING for a setting it does not have.
    """
    source, convention, name = parse(text)
    if not source.is_dir() and source.suffix.lower() != ".safetensors":
        return load_foreign_embedder(text, number)
    if convention != InputConvention():
        what = f"The network {source} knows its own input, so it has no setting but name."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Leave crop, size, range and channels away.")
    network = load_identity(source)
    return Embedder(
        f"embedder{number}",
        name or source.stem,
        f"Given as a file ({source.name}).",
        network,
    )
