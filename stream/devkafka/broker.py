"""Runs an Apache Kafka broker for the time of a ``with`` block: a real node, without Docker and without an installed Java.

    with Broker() as broker:
        print(broker.bootstrap)

Tests of failures can kill the node and start it again on the same port and data with ``kill()`` and ``start()``.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Self

from stream.devkafka.child_guard import ChildGuard
from stream.devkafka.config import JVM_FLAGS, logging_properties, server_properties
from stream.devkafka.jars import BrokerError, Progress, java, provide
from stream.devkafka.ports import free_port, is_free

if TYPE_CHECKING:
    from types import TracebackType

_START_SECONDS: Final = 90
_STOP_SECONDS: Final = 20
_TAIL_LINES: Final = 15
_METADATA: Final = 3
"""The API key of Kafka's metadata request, which requests the brokers of the cluster."""


class Broker:
    """A Kafka node in a child process. It ends with this process, even if this process is killed.

    ``port`` 0 takes a free port. Without ``data``, the node's files are in a temporary folder, which is deleted at the end of
    the block unless ``keep`` is set. A given folder stays; if it has the data of a broker, the node uses it. ``progress``
    receives the messages about fetched jars.
    """

    def __init__(
        self, *, port: int = 0, data: Path | None = None, keep: bool = False, progress: Progress = lambda _: None
    ) -> None:
        self.port = port or free_port()
        self._port_was_given = bool(port)
        self._temporary = data is None and not keep
        self.data = (data or Path(tempfile.mkdtemp(prefix="breachwatch-broker-"))).absolute()
        self.log = self.data / "broker.log"
        """Kafka's own log. ``console.log`` beside it has the output of the JVM."""
        self._progress = progress
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: ChildGuard | None = None
        self._lock: IO[str] | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The node's process id. Raises ``BrokerError`` if the node was not started."""
        if self._process is None:
            raise BrokerError(f"the broker on {self.bootstrap} is not running; its log: {self.log}")
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the node and return when it serves clients. Blocks for some seconds.

        Raises ``BrokerError`` if the jars cannot be fetched, the port is in use, the data folder belongs to something else,
        or the node ends or does not answer.
        """
        if self.alive:
            return
        self._reap()
        jars = provide(self._progress)
        if not is_free(self.port):
            advice = "stop the process that listens there or use another port" if self._port_was_given else "start again"
            raise BrokerError(f"port {self.port} on 127.0.0.1 is in use: {advice}")
        logs = self._occupy()
        command = [str(java()), *JVM_FLAGS, f"-Dlog4j2.configurationFile={self.data / 'log4j2.properties'}"]
        command += ["-cp", f"{jars}/*"]
        properties = str(self.data / "server.properties")
        if not (logs / "meta.properties").exists():
            self._format(command, properties)
        with (self.data / "console.log").open("ab") as console:
            self._process = subprocess.Popen(  # noqa: S603  our own java with our own arguments
                [*command, "kafka.Kafka", properties],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                # Without a session of its own, Ctrl-C would end the node before the clients in this process have stopped.
                start_new_session=True,
            )
        self._guard = ChildGuard(self._process, remove=self.data if self._temporary else None)
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """Stop the node cleanly, or kill it if that takes too long. The data stays."""
        if self._process is not None and self.alive:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._reap()

    def kill(self) -> None:
        """Kill the node with ``kill -9``, as a power failure would. The data stays."""
        if self._process is not None and self.alive:
            self._process.send_signal(signal.SIGKILL)
        self._reap()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._forget_data(keep_log=True)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
        self._forget_data()

    def _occupy(self) -> Path:
        logs = self.data / "kafka"
        if self.data.is_dir() and any(self.data.iterdir()) and not (self.data / "server.properties").exists():
            raise BrokerError(f"{self.data} has files that are not a broker's data: use an empty or new folder")
        try:
            logs.mkdir(parents=True, exist_ok=True)
            self._lock = (self.data / "lock").open("w")
        except OSError as error:
            raise BrokerError(f"{self.data} cannot be used as a folder of data: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._reap()
            raise BrokerError(f"another broker uses {self.data}: stop it or use another folder") from None
        settings = server_properties(port=self.port, controller_port=self._controller_port(), logs=logs)
        (self.data / "server.properties").write_text(settings, "utf-8")
        (self.data / "log4j2.properties").write_text(logging_properties(self.log), "utf-8")
        return logs

    def _controller_port(self) -> int:
        while (port := free_port()) == self.port:
            pass
        return port

    def _format(self, command: list[str], properties: str) -> None:
        cluster = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
        # As a separate argument, an id that begins with a dash would be an option.
        arguments = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "--ignore-formatted"]
        done = subprocess.run(  # noqa: S603  our own java with our own arguments
            [*command, *arguments, "--config", properties], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise BrokerError(f"Kafka could not format {self.data}:\n{done.stdout}{done.stderr}")

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not _serves(self.port):
            if not self.alive:
                raise BrokerError(f"the broker ended while starting.\n{self._last_lines()}")
            if time.monotonic() > deadline:
                raise BrokerError(f"the broker did not answer within {_START_SECONDS} s.\n{self._last_lines()}")
            time.sleep(0.05)

    def _last_lines(self) -> str:
        for file in (self.log, self.data / "console.log"):
            lines = file.read_text("utf-8", "replace").splitlines() if file.exists() else []
            if lines:
                return f"Last lines of {file}:\n" + "\n".join(lines[-_TAIL_LINES:])
        return f"It wrote nothing to {self.log}."

    def _reap(self) -> None:
        # Release the guard first: once the node is reaped, another process may get its id.
        if self._guard is not None:
            self._guard.release()
        if self._process is not None:
            self._process.wait()
        if self._lock is not None:
            self._lock.close()
        self._guard = self._process = self._lock = None

    def _forget_data(self, *, keep_log: bool = False) -> None:
        if self._temporary:
            # An error message may refer to the log, so it has to stay.
            keep_log = keep_log and self.log.exists()
            shutil.rmtree(self.data / "kafka" if keep_log else self.data, ignore_errors=True)


def _serves(port: int) -> bool:
    """Whether the node answers a metadata request and lists itself. Before that it accepts connections without serving them."""
    request = struct.pack(">hhihi", _METADATA, 1, 1, -1, 0)  # version 1, no client name, no topics
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        answer = connection.makefile("rb").read(12)
        if len(answer) == 12:
            _, _, brokers = struct.unpack(">iii", answer)
            return bool(brokers > 0)
    return False
