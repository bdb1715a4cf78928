# SPDX-License-Identifier: GPL-3.0-or-later
"""This Blender's backend as the interface sees it: a state, the picture being worked on, and how to mend a failure.

Main thread only, no bpy: a headless run, the panels and the operators all drive this one object.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Frame, Settings, Status

from .backend_process import BackendNotFoundError, BackendOptions, BackendProcess
from .jobs import Advanced, Finished, Gone, Job, JobState, News, Previewed, Ready, Worker


class BackendState(Enum):
    """What the panels show."""

    STOPPED = "Stopped"
    STARTING = "Starting"
    READY = "Ready"
    WORKING = "Working"
    FAILED = "Failed"


class Mend(Enum):
    """Which button helps: the name of an operator of this add-on, or nothing."""

    NONE = ""
    RESTART = "start_backend"
    PREFERENCES = "open_preferences"
    LOG = "open_log"


@dataclass(frozen=True)
class Failure:
    """What went wrong, and the button that mends it."""

    error: LifelikeError
    mend: Mend

    @classmethod
    def of(cls, error: LifelikeError) -> Failure:
        """The failure with the button that fits."""
        if isinstance(error, BackendNotFoundError):
            return cls(error, Mend.PREFERENCES)
        return cls(error, _MENDS.get(error.code, Mend.NONE))


_MENDS = {
    ErrorCode.NOT_RUNNING: Mend.RESTART,
    ErrorCode.BACKEND_GONE: Mend.RESTART,
    ErrorCode.REFUSED: Mend.RESTART,
    ErrorCode.TIMEOUT: Mend.RESTART,
    ErrorCode.VERSION_MISMATCH: Mend.PREFERENCES,
    ErrorCode.OUT_OF_MEMORY: Mend.RESTART,
    ErrorCode.INTERNAL: Mend.LOG,
    ErrorCode.INVALID_BUNDLE: Mend.LOG,
}


class Backend:
    """At most one backend process and one picture at a time."""

    def __init__(self) -> None:
        self.failure: Failure | None = None
        self.status: Status | None = None
        self.job: Job | None = None
        self.answers = 0
        self._process: BackendProcess | None = None
        self._worker: Worker | None = None

    @property
    def state(self) -> BackendState:
        """Where it is now."""
        if self._worker is None:
            return BackendState.FAILED if self.failure else BackendState.STOPPED
        if self.status is None:
            return BackendState.STARTING
        return BackendState.WORKING if self.busy else BackendState.READY

    @property
    def busy(self) -> bool:
        """Whether a picture is being worked on."""
        return self.job is not None and not self.job.state.over

    @property
    def running(self) -> bool:
        """Whether there is a backend, ready or still starting."""
        return self._worker is not None

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._process.process.pid if self._process else None

    def start(self, options: BackendOptions) -> None:
        """Starts the backend unless it runs; returns at once, in state STARTING.

        Raises:
            LifelikeError: it cannot be started; the state is FAILED then.
        """
        if self._worker is not None:
            return
        self.failure = None
        try:
            self._process = BackendProcess(options)
        except LifelikeError as error:
            self.failure = Failure.of(error)
            raise
        self._worker = Worker(self._process, options.start_timeout)
        self._worker.start()

    def stop(self, wait: bool = True) -> None:
        """Ends the picture being worked on and the backend.

        wait: until the process has ended, a few seconds at most; False returns at once, for the interface.
        """
        self.cancel()
        self._let_go(wait)
        self.failure = None

    def submit(self, frame: Frame, settings: Settings, timeout: float, wants_preview: bool = False) -> Job:
        """Hands a picture over; the backend may still be starting.

        wants_preview: whether `job.preview` is to be filled while a better picture is being made.

        Raises:
            LifelikeError: NOT_RUNNING, or QUEUE_FULL while another picture is worked on.
        """
        if self._worker is None:
            raise LifelikeError(ErrorCode.NOT_RUNNING, "The backend is not running.", "Start the backend.")
        if self.busy:
            raise LifelikeError(
                ErrorCode.QUEUE_FULL, "Another picture is being worked on.", "Wait for it, or cancel it first."
            )
        self.job = Job(frame, settings, timeout, wants_preview)
        self._worker.add(self.job)
        return self.job

    def ask(self) -> None:
        """Asks a running backend for its status anew; `answers` grows when it comes."""
        if self._worker is not None:
            self._worker.ask()

    def cancel(self) -> None:
        """Ends the picture being worked on, if any. It counts as cancelled at once; the backend follows."""
        if self._worker is not None and self.job is not None and self.busy:
            self._worker.cancel(self.job)
            self._close(self.job, JobState.CANCELLED)

    def poll(self, wait: float = 0.0) -> bool:
        """Takes in what happened since the last call, waiting for news up to `wait` seconds; True if anything did."""
        worker = self._worker
        if worker is None:
            return False
        changed = False
        try:
            news = worker.news.get(timeout=wait) if wait else worker.news.get_nowait()
            while True:
                changed = True
                self._take(news)
                news = worker.news.get_nowait()
        except queue.Empty:
            pass
        if self._worker is worker and self.status is not None and self._process and not self._process.alive:
            # Quicker than the heartbeat: the system itself says that the process is no more.
            self._fail(_ended(self._process))
            changed = True
        return changed

    def wait(self, job: Job, timeout: float, on_progress: Callable[[Job], None] | None = None) -> None:
        """Blocks until `job` is over, at most `timeout` seconds, after which it is cancelled and failed."""
        deadline = time.monotonic() + timeout
        try:
            while not job.state.over:
                if time.monotonic() > deadline:
                    self.cancel()
                    self._close(job, JobState.FAILED, _too_slow(timeout))
                    return
                if self.poll(wait=0.1) and on_progress is not None:
                    on_progress(job)
        except BaseException:  # also the keyboard's interrupt: nobody will ask for this picture any more
            self.cancel()
            raise

    def wait_until_ready(self, timeout: float) -> None:
        """Blocks until the backend is no longer starting, at most `timeout` seconds.

        Raises:
            LifelikeError: it failed, or takes longer.
        """
        deadline = time.monotonic() + timeout
        while self.state is BackendState.STARTING:
            if time.monotonic() > deadline:
                raise LifelikeError(ErrorCode.TIMEOUT, f"The backend was not ready after {timeout:.0f} seconds.")
            self.poll(wait=0.1)
        if self.failure is not None:
            raise self.failure.error

    def _take(self, news: News) -> None:
        match news:
            case Ready(status):
                self.status = status
                self.answers += 1
            case Gone(error):
                if self._process is not None and not self._process.alive and self.status is not None:
                    error = _ended(self._process)
                self._fail(error)
            case Advanced(job, progress) if not job.state.over:
                job.state = JobState.RUNNING
                job.stage, job.queue_position = progress.stage, progress.queue_position
                job.inversion_error = progress.error
                job.fraction = min(max(progress.fraction, job.fraction), 1.0)
            case Previewed(job, preview) if not job.state.over:
                job.preview = preview
            case Finished(job, result, error) if not job.state.over:
                if error is None:
                    job.result, job.fraction = result, 1.0
                    self._close(job, JobState.DONE)
                elif error.code is ErrorCode.CANCELLED:
                    self._close(job, JobState.CANCELLED)
                else:
                    self._close(job, JobState.FAILED, error)

    def _close(self, job: Job, state: JobState, error: LifelikeError | None = None) -> None:
        job.state, job.error = state, error

    def _fail(self, error: LifelikeError) -> None:
        self._let_go(wait=False)
        self.failure = Failure.of(error)
        if self.job is not None and self.busy:
            self._close(self.job, JobState.FAILED, error)

    def _let_go(self, wait: bool) -> None:
        if self._worker is not None:
            self._worker.stop()
        if self._process is not None:
            ending = threading.Thread(target=self._process.end, name="lifelike-ending", daemon=True)
            ending.start()
            if wait:
                ending.join(timeout=10.0)
        self._worker = self._process = self.status = None


def _ended(process: BackendProcess) -> LifelikeError:
    return LifelikeError(
        ErrorCode.BACKEND_GONE, f"The backend stopped unexpectedly: {process.why_it_ended()}.", "Restart the backend."
    )


def _too_slow(timeout: float) -> LifelikeError:
    return LifelikeError(
        ErrorCode.TIMEOUT,
        f"The picture was not ready after {timeout:.0f} seconds.",
        "Allow more time in the preferences, or restart the backend.",
    )


THE_BACKEND = Backend()
"""The one of this Blender."""
