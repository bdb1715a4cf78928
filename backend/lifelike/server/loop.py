# SPDX-License-Identifier: GPL-3.0-or-later
"""The thread that speaks with clients. It never works on a picture, so every question is answered at once."""

from __future__ import annotations

import logging
import os
import threading
import time
from functools import singledispatchmethod
from pathlib import Path

import psutil
import zmq
from attrs import define

from lifelike.failures import cancelled, explain
from lifelike.server.catalogue import Catalogue
from lifelike.server.endpoint import Delivery, Endpoint
from lifelike.server.jobs import Job, JobQueue
from lifelike.server.outbox import Outbox
from lifelike.worker import Worker, versions
from lifelike_protocol.codec import Limits, as_message, decode, job_of, negotiate_version
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import (
    PROTOCOL_VERSION,
    Cancel,
    Goodbye,
    Hello,
    Message,
    Ping,
    Pong,
    Progress,
    Shutdown,
    Stage,
    Status,
    StatusRequest,
    Submit,
    Welcome,
)

TICK_MS = 200
# Clients with jobs hear at least this often; it is also how the backend notices that one is gone.
ALIVE_SECONDS = 1.0
# A cancelled job whose work doesn't end by then is answered for; its outcome is thrown away.
CANCEL_SECONDS = 0.7
# Clients that said hello and nothing since; the longest silent is forgotten first.
MAX_CLIENTS = 256
# Messages taken in one go before the clock is looked at again.
BATCH = 64
MAX_FAILED_TURNS = 20

log = logging.getLogger(__name__)


@define
class ClientRecord:
    """What is known of one connection."""

    name: str
    heard_at: float
    version: int


class Server:
    """Answers clients until it is told to end.

    Args:
        endpoint: the socket.
        queue: where accepted jobs go.
        outbox: where the working thread's messages come from.
        worker: only its device and loaded bundles are looked at.
        catalogue: the bundles on disk.
        limits: sizes accepted from clients.
        log_file: named in answers.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        queue: JobQueue,
        outbox: Outbox,
        worker: Worker,
        catalogue: Catalogue,
        limits: Limits,
        log_file: Path,
    ) -> None:
        self._endpoint = endpoint
        self._queue = queue
        self._outbox = outbox
        self._worker = worker
        self._catalogue = catalogue
        self._limits = limits
        self._log_file = log_file
        self._clients: dict[bytes, ClientRecord] = {}
        self._jobs: dict[tuple[bytes, str], Job] = {}
        self._alive_at = 0.0
        self._started_at = time.monotonic()
        self._end_reason = ""
        self._ending = threading.Event()

    def end(self, reason: str) -> None:
        """Ask the loop to end; may be called from any thread or a signal handler."""
        if not self._ending.is_set():
            self._end_reason = reason
            self._ending.set()

    def run(self) -> None:
        """Serve until `end`; then say goodbye to everyone."""
        poller = zmq.Poller()
        poller.register(self._endpoint.socket, zmq.POLLIN)
        poller.register(self._outbox.wake, zmq.POLLIN)
        failed_turns = 0
        while not self._ending.is_set():
            poller.poll(TICK_MS)
            try:
                self._take_turn()
                failed_turns = 0
            except Exception:
                # One mistake must not end everyone's work; a loop of them must not fill the disk with logs.
                log.exception("a turn of the server failed")
                failed_turns += 1
                if failed_turns == MAX_FAILED_TURNS:
                    self.end("the server failed again and again; its log says why")
        self._say_goodbye()

    def _take_turn(self) -> None:
        self._receive()
        self._deliver()
        self._answer_for_overdue()
        self._say_alive()

    # Messages in.

    def _receive(self) -> None:
        for _ in range(BATCH):
            received = self._endpoint.receive()
            if received is None:
                return
            self._handle(*received)

    def _handle(self, client: bytes, parts: list[zmq.Frame]) -> None:
        job = ""
        try:
            # A picture that can't be read fails in its job's name, unless that names a job that is open.
            job = job_of(parts, self._limits)
            job = "" if (client, job) in self._jobs else job
            message = decode(parts, self._limits)
            self._admit(client, message)
            self._answer(message, client)
        except Exception as error:
            self._send(client, as_message(self._told(error), job))

    def _told(self, error: Exception) -> LifelikeError:
        """What to answer, with the details in the log; apart for the same reason as in `Workbench`."""
        failure = explain(error, self._log_file)
        if failure.code is ErrorCode.INTERNAL:
            log.error("a message could not be handled", exc_info=error)
        return failure

    def _admit(self, client: bytes, message: Message) -> None:
        """Only clients that said hello are served."""
        if client in self._clients:
            self._clients[client].heard_at = time.monotonic()
        elif not isinstance(message, Hello):
            raise LifelikeError(
                ErrorCode.MALFORMED, "The first message of a connection must be Hello.", "Connect again."
            )

    @singledispatchmethod
    def _answer(self, message: Message, client: bytes) -> None:
        """One variant for each message a client may send."""
        raise LifelikeError(
            ErrorCode.UNKNOWN_MESSAGE, f"{type(message).__name__} is no message for the backend.", "Send another."
        )

    @_answer.register
    def _on_hello(self, message: Hello, client: bytes) -> None:
        version = negotiate_version(message.versions)
        self._forget_the_silent()
        self._clients[client] = ClientRecord(message.client, time.monotonic(), version)
        server = f"lifelike {versions()['lifelike']}"
        self._send(client, Welcome(version, server, self._worker.device, os.getpid(), self._limits.max_side))

    @_answer.register
    def _on_ping(self, message: Ping, client: bytes) -> None:
        self._send(client, Pong(message.token))

    @_answer.register
    def _on_submit(self, message: Submit, client: bytes) -> None:
        if (client, message.job) in self._jobs:
            raise LifelikeError(
                ErrorCode.INVALID_SETTING, f"A job named {message.job!r} is open.", "Give each job its own name."
            )
        version = self._clients[client].version
        job = Job(client, message.job, message.frame, message.settings, message.preview, version)
        position = self._queue.add(job)
        self._jobs[client, job.name] = job
        self._send(client, Progress(job.name, Stage.QUEUED, 0.0, position))

    @_answer.register
    def _on_cancel(self, message: Cancel, client: bytes) -> None:
        job = self._jobs.get((client, message.job))
        if job is None:
            raise LifelikeError(
                ErrorCode.UNKNOWN_JOB, f"There is no open job named {message.job!r}.", "It may have ended already."
            )
        self._cancel(job)
        if job.cancel_deadline is None:
            self._answer_with(job, cancelled())

    def _cancel(self, job: Job) -> None:
        """Stop `job`; one being worked on gets a moment to stop by itself."""
        job.cancelled.set()
        if not self._queue.remove(job) and job.cancel_deadline is None:
            job.cancel_deadline = time.monotonic() + CANCEL_SECONDS

    @_answer.register
    def _on_status(self, message: StatusRequest, client: bytes) -> None:
        working = self._queue.working
        status = Status(
            pid=os.getpid(),
            device=self._worker.device,
            uptime=time.monotonic() - self._started_at,
            working_on=working.name if working else "",
            queued=len(self._queue.positions()),
            loaded_bundles=self._worker.loaded_bundles,
            bundles=self._catalogue.current(),
            memory_bytes=psutil.Process().memory_info().rss,
            log_file=str(self._log_file),
            versions=dict(versions()),
        )
        self._send(client, status)

    @_answer.register
    def _on_shutdown(self, message: Shutdown, client: bytes) -> None:
        self.end("a client asked for it")

    # Messages out.

    def _send(self, client: bytes, message: Message) -> None:
        known = self._clients.get(client)
        version = PROTOCOL_VERSION if known is None else known.version
        self._check_delivery(client, self._endpoint.send(client, message, version))

    def _check_delivery(self, client: bytes, delivery: Delivery) -> None:
        """Drop a client that is gone, and its jobs with it. A full line only loses the message at hand."""
        if delivery is not Delivery.GONE:
            return
        self._clients.pop(client, None)
        for key, job in list(self._jobs.items()):
            if job.client == client:
                log.info("job %s dropped: its client is gone", job.name)
                self._cancel(job)
                job.answered = True
                del self._jobs[key]

    def _deliver(self) -> None:
        for note in self._outbox.collect():
            if note.job.answered:
                continue
            delivery = self._endpoint.send_parts(note.job.client, note.parts)
            if note.last:
                self._close(note.job)
            elif not note.once:
                note.job.last_progress = note.parts
            # A client that never reads its answer would keep the picture in memory for ever.
            lost = note.last and delivery is Delivery.FULL
            self._check_delivery(note.job.client, Delivery.GONE if lost else delivery)

    def _answer_with(self, job: Job, error: LifelikeError) -> None:
        self._close(job)
        self._send(job.client, as_message(error, job.name))

    def _close(self, job: Job) -> None:
        job.answered = True
        self._jobs.pop((job.client, job.name), None)

    # The clock.

    def _answer_for_overdue(self) -> None:
        now = time.monotonic()
        for job in list(self._jobs.values()):
            if job.cancel_deadline is not None and now >= job.cancel_deadline:
                log.info("job %s is slow to stop; answered before it has", job.name)
                self._answer_with(job, cancelled())

    def _say_alive(self) -> None:
        now = time.monotonic()
        if now - self._alive_at < ALIVE_SECONDS:
            return
        self._alive_at = now
        for job, position in self._queue.positions():
            if not job.answered:
                self._send(job.client, Progress(job.name, Stage.QUEUED, 0.0, position))
        working = self._queue.working
        if working is not None and working.last_progress and not working.answered:
            self._check_delivery(working.client, self._endpoint.send_parts(working.client, working.last_progress))

    def _forget_the_silent(self) -> None:
        busy = {job.client for job in self._jobs.values()}
        silent = sorted((record.heard_at, client) for client, record in self._clients.items() if client not in busy)
        for _, client in silent[: max(0, len(self._clients) - MAX_CLIENTS + 1)]:
            del self._clients[client]

    def _say_goodbye(self) -> None:
        log.info("ending: %s", self._end_reason)
        self._queue.close()
        gone = LifelikeError(
            ErrorCode.BACKEND_GONE, "The backend ended before the picture was finished.", "Start it and try again."
        )
        for job in list(self._jobs.values()):
            job.cancelled.set()
            self._answer_with(job, gone)
        for client, record in list(self._clients.items()):
            self._endpoint.send(client, Goodbye(self._end_reason), record.version)
