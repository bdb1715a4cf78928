# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error type that crosses the wire, and every code it can carry."""

from __future__ import annotations

from enum import Enum


class ErrorCode(str, Enum):
    """What went wrong, for programs. Values are part of the protocol (PROTOCOL.md)."""

    # The bytes on the wire.
    MALFORMED = "malformed"
    UNKNOWN_MESSAGE = "unknown_message"
    VERSION_MISMATCH = "version_mismatch"
    BUFFER_COUNT = "buffer_count"
    SIZE_MISMATCH = "size_mismatch"
    SIZE_LIMIT = "size_limit"
    # What the bytes say.
    NON_FINITE = "non_finite"
    INVALID_SETTING = "invalid_setting"
    UNKNOWN_BUNDLE = "unknown_bundle"
    INVALID_BUNDLE = "invalid_bundle"
    UNKNOWN_JOB = "unknown_job"
    QUEUE_FULL = "queue_full"
    # What happened while working.
    NO_FACE = "no_face"
    OUT_OF_MEMORY = "out_of_memory"
    CANCELLED = "cancelled"
    INTERNAL = "internal"
    # What only a client can know.
    NOT_RUNNING = "not_running"
    REFUSED = "refused"
    BACKEND_GONE = "backend_gone"
    TIMEOUT = "timeout"
    # Files.
    INVALID_FILE = "invalid_file"


class LifelikeError(Exception):
    """An expected failure: what happened and what to do about it.

    Args:
        code: which failure, for programs.
        what: one sentence for a person: what happened.
        remedy: one sentence for a person: what to do; may be empty.
    """

    def __init__(self, code: ErrorCode, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}".strip()

    def __reduce__(self) -> tuple[type[LifelikeError], tuple[ErrorCode, str, str]]:
        return (LifelikeError, (self.code, self.what, self.remedy))
