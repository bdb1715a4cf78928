# SPDX-License-Identifier: GPL-3.0-or-later
"""The devices and processes of a run, started by Lightning Fabric, and what only the first of them does."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from lightning_fabric import Fabric

from lifelike.training.precision import choose_precision
from lifelike.training.task import RunSettings
from lifelike_protocol.errors import ErrorCode, LifelikeError

Result = TypeVar("Result")


def start_fabric(run: RunSettings) -> Fabric:
    """The devices of a run, all processes started.

    Raises:
        LifelikeError: INVALID_SETTING for devices that are not there, or a batch that cannot be shared out.
    """
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it tells what the settings say already
    precision: Any = choose_precision(run.precision, run.accelerator)
    devices: Any = int(run.devices) if run.devices.isdigit() else run.devices
    try:
        fabric = Fabric(accelerator=run.accelerator, devices=devices, num_nodes=run.nodes, precision=precision)
    except Exception as error:  # Fabric has no type of its own for a wish it cannot grant
        what = f"Training cannot use accelerator {run.accelerator!r} with devices {run.devices!r}: {error}"
        remedy = "Set run.accelerator and run.devices to auto."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what.partition("\n")[0].rstrip(".") + ".", remedy) from error
    parts = fabric.world_size * run.accumulate
    if run.batch % parts:
        what = f"A batch of {run.batch} pictures cannot be shared out among {fabric.world_size} processes"
        what += f" with {run.accumulate} parts each." if run.accumulate > 1 else "."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, f"Set run.batch to a multiple of {parts}.")
    fabric.launch()
    if run.threads:
        torch.set_num_threads(run.threads)
    return fabric


def part_size(run: RunSettings, fabric: Fabric) -> int:
    """Pictures that one process takes at once: its share of the batch, in `run.accumulate` parts."""
    return run.batch // (fabric.world_size * run.accumulate)


def on_first(fabric: Fabric, action: Callable[[], Result]) -> Result | None:
    """Do something in the first process alone; where it fails there, all processes end.

    Returns:
        What the action returned; None in the other processes.
    """
    result, failure = None, None
    if fabric.global_rank == 0:
        try:
            result = action()
        except Exception as error:
            failure = error
    failed_somewhere = fabric.world_size > 1 and fabric.broadcast(failure is not None)
    if failed_somewhere and failure is None:
        raise SystemExit(0)
    if failure is not None:
        raise failure
    return result
