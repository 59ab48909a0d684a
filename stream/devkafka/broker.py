"""An Apache Kafka broker inside a ``with`` block: a real node without Docker or a Java of the machine's own.

    with Broker() as broker:
        print(broker.bootstrap)

For tests of failure it can be killed and started again on the same port and data: ``kill()``, ``start()``.
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
from stream.devkafka.jars import BrokerError, Say, java, provide
from stream.devkafka.ports import free_port, is_free

if TYPE_CHECKING:
    from types import TracebackType

_START_SECONDS: Final = 90
_STOP_SECONDS: Final = 20
_TAIL_LINES: Final = 15
_METADATA: Final = 3
"""Kafka's request number for "who is in the cluster"."""


class Broker:
    """A Kafka node of this process: it dies with it, even when this process is killed.

    ``port`` 0 takes a free one. Without ``data`` the node's files live in a temporary folder that goes when the block
    ends, unless ``keep``; a given folder stays, and is used again when it already holds a broker's data.
    """

    def __init__(self, *, port: int = 0, data: Path | None = None, keep: bool = False, say: Say = lambda _: None) -> None:
        self.port = port or free_port()
        self._port_was_given = bool(port)
        self._passing = data is None and not keep
        self.data = (data or Path(tempfile.mkdtemp(prefix="breachwatch-broker-"))).resolve()
        self.log = self.data / "broker.log"
        """Kafka's own log; ``console.log`` beside it has what the JVM itself printed."""
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._leash: ChildGuard | None = None
        self._lock: IO[str] | None = None

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The node's process. Raises ``BrokerError`` when it was not started."""
        if self._process is None:
            raise BrokerError(f"the broker on {self.bootstrap} is not running; its log: {self.log}")
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the node and return when it serves clients. Blocks for some seconds.

        Raises ``BrokerError``: jars cannot be had, port taken, data folder of something else, the node ended or never
        answered.
        """
        if self.alive:
            return
        self._reap()
        jars = provide(self._say)
        if not is_free(self.port):
            advice = "stop what listens there or give another port" if self._port_was_given else "start again"
            raise BrokerError(f"port {self.port} on 127.0.0.1 is taken: {advice}")
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
                # Ctrl-C in a terminal is for this process, which then stops its clients first and the node last.
                start_new_session=True,
            )
        self._leash = ChildGuard(self._process, remove=self.data if self._passing else None)
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End the node in good order; kill it when that takes more than some seconds. The data stays."""
        if self._process is not None and self.alive:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._reap()

    def kill(self) -> None:
        """``kill -9``: what a power cut of this process looks like. The data stays."""
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
            raise BrokerError(f"{self.data} holds something that is not a broker's data: give an empty or new folder")
        logs.mkdir(parents=True, exist_ok=True)
        self._lock = (self.data / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._reap()
            raise BrokerError(f"another broker runs on {self.data}: stop it or give another folder") from None
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
        # An id that began with a dash would be read as an option.
        arguments = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "--ignore-formatted"]
        done = subprocess.run(  # noqa: S603  our own java with our own arguments
            [*command, *arguments, "--config", properties], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise BrokerError(f"{self.data} could not be prepared for Kafka:\n{done.stdout}{done.stderr}")

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not _serves(self.port):
            if not self.alive:
                raise BrokerError(f"the broker ended while starting.\n{self._evidence()}")
            if time.monotonic() > deadline:
                raise BrokerError(f"the broker did not answer within {_START_SECONDS} s.\n{self._evidence()}")
            time.sleep(0.05)

    def _evidence(self) -> str:
        for file in (self.log, self.data / "console.log"):
            lines = file.read_text("utf-8", "replace").splitlines() if file.exists() else []
            if lines:
                return f"Last lines of {file}:\n" + "\n".join(lines[-_TAIL_LINES:])
        return f"It wrote nothing to {self.log}."

    def _reap(self) -> None:
        # The leash goes first: once the node is reaped, its process id may become somebody else's.
        if self._leash is not None:
            self._leash.release()
        if self._process is not None:
            self._process.wait()
        if self._lock is not None:
            self._lock.close()
        self._leash = self._process = self._lock = None

    def _forget_data(self, *, keep_log: bool = False) -> None:
        if self._passing:
            # An error may have named the log: then it must still be there to be read.
            keep_log = keep_log and self.log.exists()
            shutil.rmtree(self.data / "kafka" if keep_log else self.data, ignore_errors=True)


def _serves(port: int) -> bool:
    """Whether the node answers a metadata request and counts itself in: before that it only accepts connections."""
    request = struct.pack(">hhihi", _METADATA, 1, 1, -1, 0)  # version 1, no client name, about no topic
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        answer = connection.makefile("rb").read(12)
        if len(answer) == 12:
            _, _, brokers = struct.unpack(">iii", answer)
            return bool(brokers > 0)
    return False
