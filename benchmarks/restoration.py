# SPDX-License-Identifier: GPL-3.0-or-later
"""What restoring from the input does to a decode, in figures and in a picture.

    python benchmarks/restoration.py HEADS [--people 12] [--lossy] [--sheet FILE]

HEADS is a data set with both looks, such as the paired heads; reserved people are decoded with nothing restored, each
part alone and everything, beside the difference method. Measured is the distance from the true photo look, within the
face's outline and in the whole portrait. The built-in bundle inverts so closely that little is left to restore: --lossy
blurs its fine feature codes first, so that its inversion loses about as much as one without feature codes. Needs
`pip install 'lifelike[train]'`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from attrs import asdict, evolve
from inversion import levels, one_of_each, psnr, signed
from PIL import Image
from torch import Tensor

from lifelike.bundles import Bundle, load_bundle
from lifelike.datasets.pairs import Pairs, load_pairs
from lifelike.devices import set_threads
from lifelike.faces.regions import face_regions
from lifelike.inversion import invert
from lifelike.networks.encoder import Latent
from lifelike.restoration import restore
from lifelike_protocol.messages import Restoration

NOTHING = Restoration(0.0, 0.0, 0.0, 0.0)
PARTS = tuple(asdict(NOTHING))
SHOWN = ("input", "inversion", "nothing", "everything", "difference", "truth")
COARSE = 32
"""Feature codes of this many pixels a side and fewer stay as they are with --lossy."""


def lossy(latent: Latent) -> Latent:
    """A latent whose fine feature codes say little more than coarse ones."""
    blurred = {
        side: code if side <= COARSE else F.avg_pool2d(code, 5, stride=1, padding=2)
        for side, code in latent.features.items()
    }
    return Latent(latent.ws, blurred)


@torch.inference_mode()
def pictures(bundle: Bundle, pairs: Pairs, index: int, lose: bool) -> dict[str, Tensor]:
    """Every way of one portrait, [1, 3, R, R], −1…1, and under "face" its mask."""
    x = signed(pairs.render[index])
    latent = lossy(invert(bundle, x)) if lose else invert(bundle, x)
    inversion, made = (
        generator.synthesis(latent.ws, features=latent.features) for generator in (bundle.inverted, bundle.photo)
    )
    regions = face_regions(pairs.render[index].astype(np.float32) / 255, pairs.landmarks[index])
    amounts = {"nothing": NOTHING, **{name: evolve(NOTHING, **{name: 1.0}) for name in PARTS}}
    amounts["everything"] = Restoration(1.0, 1.0, 1.0, 1.0)
    decodes = {name: restore(made, x - inversion, regions, amount) for name, amount in amounts.items()}
    shown = {"input": x, "inversion": inversion, **decodes, "difference": made + x - inversion}
    shown = {name: picture.clamp(-1, 1) for name, picture in shown.items()}
    return {"face": regions.face, **shown, "truth": signed(pairs.photo[index])}


def distances(made: dict[str, Tensor]) -> dict[str, tuple[float, float]]:
    """PSNR to the truth within the face and in all, dB."""
    face, truth = made["face"], made["truth"]
    share = float(face.mean())
    return {
        name: (
            float(-10 * torch.log10((face * ((picture - truth) / 2).square()).mean() / share)),
            psnr(picture, truth),
        )
        for name, picture in made.items()
        if name not in ("face", "truth", "inversion")
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("heads", type=Path)
    parser.add_argument("--bundle", default="builtin")
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="a folder for decoded pictures, so that the next run starts at once")
    parser.add_argument("--lossy", action="store_true")
    parser.add_argument("--sheet", type=Path, help=f"columns: {', '.join(SHOWN)}")
    parser.add_argument("--rows", type=int, default=5, help="of the sheet")
    options = parser.parse_args()
    set_threads(options.threads)
    bundle = load_bundle(options.bundle, "cpu")
    pairs = one_of_each(load_pairs(options.heads, bundle.card.resolution, options.cache).reserved(), options.people)
    made = [pictures(bundle, pairs, index, options.lossy) for index in range(len(pairs))]
    each = [distances(one) for one in made]
    print("| restored | face, dB to the truth | portrait, dB to the truth |\n|---|---:|---:|")
    for name in each[0]:
        face, whole = np.mean([one[name] for one in each], axis=0)
        print(f"| {name} | {face:.2f} | {whole:.2f} |")
    if options.sheet:
        rows = [np.concatenate([levels(one[name])[0] for name in SHOWN], axis=1) for one in made[: options.rows]]
        Image.fromarray(np.concatenate(rows)).save(options.sheet, quality=90)


if __name__ == "__main__":
    main()
