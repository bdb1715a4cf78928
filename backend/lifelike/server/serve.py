# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts a backend together, runs it and takes it down again."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack

import zmq

from lifelike.bundles import list_bundles
from lifelike.devices import set_threads
from lifelike.logging_setup import detach_output, open_log
from lifelike.server.catalogue import Catalogue
from lifelike.server.endpoint import Endpoint
from lifelike.server.jobs import JobQueue
from lifelike.server.loop import Server
from lifelike.server.options import ServeOptions, check_host
from lifelike.server.outbox import Outbox
from lifelike.server.ownership import ConnectionClaim
from lifelike.server.parent import ParentWatch
from lifelike.server.workbench import Workbench
from lifelike.worker import Worker
from lifelike_protocol.codec import Limits

LAST_WORDS_SECONDS = 1.0
LAST_WORK_SECONDS = 3.0

log = logging.getLogger(__name__)


def serve(options: ServeOptions, on_ready: Callable[[str], None]) -> None:
    """Run a backend until a client, a signal or the end of the parent process ends it.

    Args:
        options: see `ServeOptions`.
        on_ready: called once with the address when clients can connect.

    Raises:
        LifelikeError: when the backend can't start; once it runs, failures are answers to clients.
    """
    check_host(options.host, options.allow_remote)
    parent = None if options.parent_pid is None else ParentWatch(options.parent_pid)
    open_log(options.log_file)
    with ExitStack() as stack:
        claim = ConnectionClaim(options.connection_file)
        stack.callback(claim.release)
        set_threads(options.threads)
        worker = Worker(options.device, options.precision)
        context = zmq.Context()
        endpoint, outbox = Endpoint(context, options), Outbox(context)
        queue = JobQueue(options.queue_limit)
        limits = Limits(max_side=options.max_side)
        server = Server(endpoint, queue, outbox, worker, Catalogue(list_bundles), limits, options.log_file)
        bench = Workbench(worker, queue, outbox, options.idle_unload, limits, options.log_file)
        stack.callback(_take_down, context, endpoint, outbox, queue, bench)
        _end_on_signals(server)
        claim.publish(endpoint.connection)
        if parent is not None:
            parent.start(lambda: server.end("the process that started the backend ended"))
            stack.callback(parent.stop)
        bench.start()
        address = endpoint.connection.address
        log.info("ready on %s, device %s", address, worker.device)
        on_ready(address)
        detach_output(options.log_file)
        server.run()
        # Nobody new may come, and the next backend need not wait for the last step of this one.
        claim.release()


def _take_down(
    context: zmq.Context[zmq.Socket[bytes]], endpoint: Endpoint, outbox: Outbox, queue: JobQueue, bench: Workbench
) -> None:
    queue.close()
    endpoint.close(LAST_WORDS_SECONDS)
    outbox.close()
    if bench.join(LAST_WORK_SECONDS):
        context.term()
        log.info("ended")
        return
    # Clients have heard the last by now; a step that can't be interrupted must not keep the process.
    log.warning("the last step did not stop in %.0f s; ending without it", LAST_WORK_SECONDS)
    logging.shutdown()
    os._exit(0)


def _end_on_signals(server: Server) -> None:
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, frame: server.end(signal.Signals(number).name))
