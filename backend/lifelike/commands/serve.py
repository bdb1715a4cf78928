# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike serve`: run the backend."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lifelike.execution.precision import Precision
from lifelike_protocol.locations import default_connection_file, log_file

Option = typer.Option


def serve(
    connection_file: Annotated[
        Path | None, Option(help="Where to write how to connect. Default: the user's runtime folder.")
    ] = None,
    parent_pid: Annotated[int | None, Option(help="End when this process ends.")] = None,
    device: Annotated[str, Option(help="auto, cpu or cuda.")] = "auto",
    idle_unload: Annotated[
        float, Option(min=0, help="Give memory back after this many seconds without work; 0: never.")
    ] = 300.0,
    max_side: Annotated[int, Option(min=1, max=65536, help="Largest width or height of a picture, pixels.")] = 16384,
    log_path: Annotated[Path | None, Option("--log-file", help="The log. Default: the user's log folder.")] = None,
    host: Annotated[str, Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Option(min=0, max=65535, help="The port to listen on; 0: any free one.")] = 0,
    allow_remote: Annotated[bool, Option("--allow-remote", help="Let --host be open to other machines.")] = False,
    queue_limit: Annotated[int, Option(min=1, help="How many pictures may wait.")] = 16,
    threads: Annotated[int | None, Option(min=1, help="CPU threads. Default: LIFELIKE_THREADS, else torch's.")] = None,
    precision: Annotated[Precision, Option(help="Of the networks. auto: the fastest here.")] = Precision.AUTO,
) -> None:
    """Run the backend until it is stopped. Prints one line, "ready ADDRESS", when clients can connect."""
    from lifelike.server.options import ServeOptions
    from lifelike.server.serve import serve as run

    options = ServeOptions(
        connection_file=connection_file or default_connection_file(),
        log_file=log_path or log_file(),
        parent_pid=parent_pid,
        device=device,
        idle_unload=idle_unload,
        max_side=max_side,
        host=host,
        port=port,
        allow_remote=allow_remote,
        queue_limit=queue_limit,
        threads=threads,
        precision=precision,
    )
    run(options, on_ready=lambda address: print(f"ready {address}", flush=True))
