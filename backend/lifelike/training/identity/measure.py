# SPDX-License-Identifier: GPL-3.0-or-later
"""How well an identity network recognises people it never met."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lifelike.evaluation.judges import apply
from lifelike.evaluation.recognition import Labels, area_under_curve, nearest_is_right
from lifelike.networks.identity import IdentityNetwork
from lifelike.training.portraits import Portraits


def recognition(
    embeddings: NDArray[np.float32], person: Labels, shot: Labels, look: NDArray[np.str_]
) -> dict[str, float]:
    """Recognition among N pictures; what cannot be asked of them is left out.

    ``rank_one_cross_pose``: nearest picture of the same look and another shot. With two looks (the first two in the
    alphabet), a picture of the later one is asked for among the other's: ``rank_one_cross_look`` with its own shot
    there, and ``rank_one_cross_both`` without it.
    """
    measured = {"people": float(len(np.unique(person))), "pictures": float(len(person))}
    if measured["people"] < 2:
        return measured
    same, own = person[:, None] == person[None], shot[:, None] == shot[None]
    left_out = own | (look[:, None] != look[None])
    several = (same & ~left_out).any(1)
    if several.any():
        found = nearest_is_right(embeddings[several], person[several], embeddings, person, left_out[several])
        measured["rank_one_cross_pose"] = float(found.mean())
    looks = sorted(set(look.tolist()) - {""})
    if len(looks) < 2:
        return measured
    gallery, query = look == looks[0], look == looks[1]
    asked, among = (embeddings[query], person[query]), (embeddings[gallery], person[gallery])
    measured["rank_one_cross_look"] = float(nearest_is_right(*asked, *among).mean())
    same, own = same[np.ix_(query, gallery)], own[np.ix_(query, gallery)]
    if (same & ~own).any(1).all():
        measured["rank_one_cross_both"] = float(nearest_is_right(*asked, *among, own).mean())
        measured |= _separation(asked[0] @ among[0].T, same & ~own, ~same)
    return measured


def _separation(
    cosines: NDArray[np.float32], same: NDArray[np.bool_], different: NDArray[np.bool_]
) -> dict[str, float]:
    """Means of same-person and different-person cosines, the area under the ROC curve, and the share of same-person
    cosines above the threshold that lets 1 % of strangers pass."""
    alike, apart = cosines[same], cosines[different]
    return {
        "cross_both_same": float(alike.mean()),
        "cross_both_different": float(apart.mean()),
        "cross_both_roc_auc": area_under_curve(alike, apart),
        "cross_both_accepted_at_1_percent": float(np.mean(alike > np.quantile(apart, 0.99))),
    }


def measure(network: IdentityNetwork, portraits: Portraits) -> dict[str, float]:
    """`recognition` among these people by a network."""
    network.eval()
    device = network.embed.weight.device
    embeddings = apply(lambda seen: network(seen.to(device)), portraits.pictures)
    return recognition(embeddings, portraits.person, portraits.shot, portraits.look)
