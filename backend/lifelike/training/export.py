# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the networks of several runs together into one bundle.

`python -m lifelike.training.export --run DIR --identity FILE --locator FILE -o FILE.safetensors`
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from torch import Tensor

from lifelike.bundles.bundle import Bundle
from lifelike.bundles.card import BundleCard
from lifelike.networks.encoder import EncoderSettings
from lifelike.networks.stylegan2 import GeneratorSettings
from lifelike.networks.weights import load_weights
from lifelike.training.checkpoint import load_checkpoint
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Method

TRAINED_ON = (
    "Pairs of parametric heads (CC0), rendered in a render look and a photo look, and renders of the example "
    "avatar. No photograph of a person: its photo look is itself rendered."
)


def bundle_of_runs(run: Path, identity: Path | None, locator: Path | None, **card: Any) -> Bundle:
    """The averaged networks of a generator-pair run with the small networks trained apart.

    Raises:
        LifelikeError: INVALID_FILE when a checkpoint or a network's file is missing or damaged.
    """
    state = load_checkpoint(run / "checkpoint.pt")
    if state is None:
        what = f"There is no checkpoint in {run}."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, "Train a generator pair first.")
    tensors: dict[str, Tensor] = {}
    parts: dict[str, dict[str, Any] | None] = {"identity": None, "locator": None}
    for kind, file in (("identity", identity), ("locator", locator)):
        if file is not None:
            settings, weights, _ = load_weights(file, kind)
            parts[kind] = settings
            tensors |= {f"{kind}.{key}": value for key, value in weights.items()}
    bundle = Bundle(
        BundleCard(
            generator=GeneratorSettings(**state["generator"]),
            encoder=EncoderSettings(**state["encoder"]),
            identity=parts["identity"],
            locator=parts["locator"],
            trained_on=TRAINED_ON,
            **card,
        )
    )
    bundle.load_tensors(tensors | dict(pair_tensors(state["average"])))
    return bundle


def pair_tensors(average: dict[str, Tensor]) -> dict[str, Tensor]:
    """A run's averaged tensors under the names of a bundle."""
    renamed = {
        "photo.mapping.": "mapping.",
        "photo.synthesis.": "photo.",
        "render.synthesis.": "render.",
        "encoder.": "encoder.",
    }
    return {
        new + key.removeprefix(old): value
        for key, value in average.items()
        for old, new in renamed.items()
        if key.startswith(old) and not (new == "render." and key.endswith("noise_const"))
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, required=True, help="folder of a generator-pair run")
    parser.add_argument("--identity", type=Path, help="identity network (safetensors)")
    parser.add_argument("--locator", type=Path, help="face locator (safetensors)")
    parser.add_argument("--name", default="builtin")
    parser.add_argument("--description", default="Small model trained on synthetic heads, for trying things out.")
    parser.add_argument("--licence", default="GPL-3.0-or-later")
    parser.add_argument("--method", choices=[Method.DIFFERENCE.value, Method.DECODE.value], default="difference")
    parser.add_argument("--measured", type=Path, help="report of lifelike.evaluation (JSON), kept in the card")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    bundle = bundle_of_runs(
        arguments.run,
        arguments.identity,
        arguments.locator,
        name=arguments.name,
        description=arguments.description,
        licence=arguments.licence,
        method=Method(arguments.method),
        measured=json.loads(arguments.measured.read_text()) if arguments.measured else {},
    )
    bundle.save(arguments.output)
    print(f"{arguments.output}: {arguments.output.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
