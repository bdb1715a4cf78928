# SPDX-License-Identifier: GPL-3.0-or-later
"""How a client finds its backend and proves who it is: the connection file, the keys, the two sockets.

Everything about CURVE is here and in `authentication`. The backend accepts the one client key that its
connection file holds, so whoever can read that file can use the backend, and nobody else.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import secrets
import socket as network
from pathlib import Path
from typing import Any

import zmq
from attrs import asdict, field, fields, frozen

from .authentication import KeyCheck
from .errors import ErrorCode, LifelikeError
from .messages import PROTOCOL_VERSION

HANDSHAKE_SECONDS = 5.0
"""A connection that has not proved its key by then is dropped, whoever is at the other end."""

PROBE_SECONDS = 10.0
SILENT_SECONDS = 60.0
"""The backend probes each connection this often, and drops one from which no frame has come for this long: a machine
that vanished from the network. Long, because a large picture is one frame and may take its time."""

_START_REMEDY = "Start the backend: press Start in Blender, or run `lifelike serve`."


@frozen
class Keys:
    """The two CURVE key pairs of one run of the backend, each 40 characters of Z85."""

    server_public: str
    server_secret: str = field(repr=False)
    client_public: str
    client_secret: str = field(repr=False)


@frozen
class ConnectionInfo:
    """What the connection file says.

    address: `tcp://host:port`. pid: of the backend, on its own machine. protocol_version: the newest it speaks.
    """

    address: str
    pid: int
    protocol_version: int
    server_public_key: str
    client_public_key: str
    client_secret_key: str = field(repr=False)


def generate_keys() -> Keys:
    """New random keys; a backend makes them afresh each time it starts."""
    server_public, server_secret = zmq.curve_keypair()
    client_public, client_secret = zmq.curve_keypair()
    return Keys(*(key.decode("ascii") for key in (server_public, server_secret, client_public, client_secret)))


class Listener:
    """The backend's end: a bound ROUTER that lets only the holder of the client key in.

    Attributes:
        socket: the ROUTER. Received frames are [routing id, header, buffer…].
            Sending to a client that has gone raises `zmq.ZMQError` with EHOSTUNREACH; send with NOBLOCK.
        address: `tcp://host:port` for a client on this machine (or on the network where `host` was given so).
    """

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        keys: Keys,
        host: str,
        port: int,
        max_frame_bytes: int = -1,
    ) -> None:
        self._check = KeyCheck(context, keys.client_public)
        self.socket = context.socket(zmq.ROUTER)
        try:
            self._configure(keys, max_frame_bytes)
            self.address = self._bind(host, port)
        except BaseException:
            self.close()
            raise

    def info(self, keys: Keys, pid: int | None = None) -> ConnectionInfo:
        """What to write into the connection file, for this process by default."""
        return ConnectionInfo(
            address=self.address,
            pid=os.getpid() if pid is None else pid,
            protocol_version=PROTOCOL_VERSION,
            server_public_key=keys.server_public,
            client_public_key=keys.client_public,
            client_secret_key=keys.client_secret,
        )

    def close(self, linger: float = 0.0) -> None:
        """Closes the socket; waits at most `linger` seconds (when the context ends) for what is not sent yet."""
        self.socket.close(linger=round(linger * 1000))
        self._check.stop()

    def _configure(self, keys: Keys, max_frame_bytes: int) -> None:
        self.socket.linger = 0
        # Also holds for strangers: nobody can make the backend reserve memory before a key is checked.
        self.socket.setsockopt(zmq.MAXMSGSIZE, max_frame_bytes)
        self.socket.setsockopt(zmq.HEARTBEAT_IVL, round(PROBE_SECONDS * 1000))
        self.socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, round(SILENT_SECONDS * 1000))
        self.socket.curve_server = True
        self.socket.curve_secretkey = keys.server_secret.encode("ascii")
        self.socket.setsockopt(zmq.HANDSHAKE_IVL, round(HANDSHAKE_SECONDS * 1000))
        # Say so when a client is gone, instead of dropping its messages silently.
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)

    def _bind(self, host: str, port: int) -> str:
        if not 0 <= port <= 65535:  # libzmq would take the remainder
            raise _cannot_listen(host, port, "there is no such port")
        try:
            address = ipaddress.ip_address(network.getaddrinfo(host, None)[0][4][0])
            self.socket.setsockopt(zmq.IPV6, int(address.version == 6))
            self.socket.bind(f"tcp://{_bracketed(address)}:{port or '*'}")
        except (OSError, UnicodeError) as cause:  # zmq.ZMQError is neither
            raise _cannot_listen(host, port, str(cause)) from cause
        except zmq.ZMQError as cause:
            raise _cannot_listen(host, port, zmq.strerror(cause.errno or 0)) from cause
        endpoint = self.socket.getsockopt(zmq.LAST_ENDPOINT)
        bound_port = int(bytes(endpoint).rstrip(b"\0").rsplit(b":", 1)[1])
        if address.is_unspecified:  # every interface: this machine reaches it through loopback
            address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
        return f"tcp://{_bracketed(address)}:{bound_port}"


def server_socket(
    context: zmq.Context[zmq.Socket[bytes]],
    keys: Keys,
    host: str = "127.0.0.1",
    port: int = 0,
    max_frame_bytes: int = -1,
) -> Listener:
    """A ROUTER with CURVE, bound; port 0 chooses a free one. Bind first, then write the connection file.

    A peer that sends a frame of more than `max_frame_bytes` (−1: any) is disconnected.

    Raises:
        LifelikeError: INVALID_SETTING, the address cannot be listened on.
    """
    return Listener(context, keys, host, port, max_frame_bytes)


def client_socket(context: zmq.Context[zmq.Socket[bytes]], info: ConnectionInfo) -> zmq.Socket[bytes]:
    """A DEALER with CURVE, not yet connected (so that a monitor can be attached first): connect to `info.address`.

    It never reconnects: a backend that comes back has new keys and knows nothing of the old jobs.

    Raises:
        LifelikeError: MALFORMED, the keys are not keys.
    """
    socket = context.socket(zmq.DEALER)
    try:
        socket.linger = 0
        socket.curve_serverkey = info.server_public_key.encode("ascii")
        socket.curve_publickey = info.client_public_key.encode("ascii")
        socket.curve_secretkey = info.client_secret_key.encode("ascii")
        socket.setsockopt(zmq.IPV6, 1)
        socket.setsockopt(zmq.RECONNECT_IVL, -1)
        socket.setsockopt(zmq.HANDSHAKE_IVL, round(HANDSHAKE_SECONDS * 1000))
        socket.setsockopt(zmq.SNDHWM, 0)
        socket.setsockopt(zmq.RCVHWM, 0)
    except (zmq.ZMQError, ValueError) as cause:
        socket.close(linger=0)
        raise _malformed("its keys are not CURVE keys") from cause
    return socket


def write_connection_file(path: Path, info: ConnectionInfo) -> None:
    """Writes the file whole or not at all, readable by its user alone.

    Windows has no such mode; there the user's own folder (see `locations.runtime_dir`) keeps others out.

    Raises:
        LifelikeError: INVALID_FILE, it cannot be written.
    """
    text = json.dumps(asdict(info), indent=2) + "\n"
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The mode is given at creation: there is no moment in which others could read it.
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - of a descriptor, not a path
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as cause:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"The connection file {path} cannot be written: {cause.strerror or cause}.",
            "Free some space, or choose another place with --connection-file.",
        ) from cause


def read_connection_file(path: Path) -> ConnectionInfo:
    """What the backend wrote. Keys of the file that this version does not know are passed over.

    Raises:
        LifelikeError: NOT_RUNNING, there is no such file; INVALID_FILE, it cannot be read; MALFORMED, it is none.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        content = json.loads(text)
    except (FileNotFoundError, NotADirectoryError) as cause:
        raise LifelikeError(ErrorCode.NOT_RUNNING, "The backend is not running.", _START_REMEDY) from cause
    except OSError as cause:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"The connection file {path} cannot be read: {cause.strerror or cause}.",
            "Run Blender and the backend as the same user.",
        ) from cause
    except (ValueError, RecursionError) as cause:
        raise _malformed("it is not JSON") from cause
    return _checked(content)


def _checked(content: Any) -> ConnectionInfo:
    if not isinstance(content, dict):
        raise _malformed("it is not a JSON object")
    values: dict[str, Any] = {item.name: content.get(item.name) for item in fields(ConnectionInfo)}
    for name in ("pid", "protocol_version"):
        if type(values[name]) is not int:
            raise _malformed(f"its {name} is missing or not a whole number")
    for name in ("server_public_key", "client_public_key", "client_secret_key"):
        if not isinstance(values[name], str) or not re.fullmatch(r"[!-~]{40}", values[name]):
            raise _malformed(f"its {name} is missing or not a CURVE key")
    address = re.fullmatch(r"tcp://.+:(\d{1,5})", values["address"]) if isinstance(values["address"], str) else None
    if not address or not 1 <= int(address[1]) <= 65535:
        raise _malformed("its address is missing or not of the form tcp://host:port")
    return ConnectionInfo(**values)


def _malformed(why: str) -> LifelikeError:
    return LifelikeError(
        ErrorCode.MALFORMED,
        f"The connection file is not usable: {why}.",
        "Stop the backend, delete the file and start the backend again.",
    )


def _cannot_listen(host: str, port: int, why: str) -> LifelikeError:
    return LifelikeError(
        ErrorCode.INVALID_SETTING,
        f"The backend cannot listen on {host}, port {port}: {why}.",
        "Choose another --host or --port; port 0 takes a free one.",
    )


def _bracketed(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    return f"[{address}]" if address.version == 6 else str(address)
