# SPDX-License-Identifier: GPL-3.0-or-later
"""What `lifelike serve` can be told."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from attrs import frozen

from lifelike.execution.precision import Precision
from lifelike_protocol.errors import ErrorCode, LifelikeError


@frozen
class ServeOptions:
    """Settings of one backend.

    connection_file: written on start, removed at the end.
    log_file: the one log.
    parent_pid: the backend ends when this process ends; None: it runs until told to stop.
    device: "auto", "cpu" or "cuda".
    idle_unload: seconds without work after which the bundle leaves memory; 0: never.
    max_side: the largest width and height of a picture, pixels.
    host, port: where to listen; port 0: any free one.
    allow_remote: whether `host` may be reachable from other machines.
    queue_limit: how many pictures may wait.
    threads: CPU threads for torch; None: LIFELIKE_THREADS or torch's own choice.
    precision: of the networks.
    """

    connection_file: Path
    log_file: Path
    parent_pid: int | None = None
    device: str = "auto"
    idle_unload: float = 300.0
    max_side: int = 16384
    host: str = "127.0.0.1"
    port: int = 0
    allow_remote: bool = False
    queue_limit: int = 16
    threads: int | None = None
    precision: Precision = Precision.AUTO


def check_host(host: str, allow_remote: bool) -> None:
    """Refuse to listen where other machines can reach, unless that was asked for.

    Raises:
        LifelikeError: INVALID_SETTING.
    """
    if host == "localhost" or allow_remote:
        return
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"{host} can be reached from other machines.",
            "Leave --host out to listen on this machine only, or add --allow-remote.",
        )
