"""A sender for the benchmarks of the gateway: signed requests over connections that stay open, one instance after the other."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from lab import WORKERS, Child, until

from stream.devkafka.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stream.runtime.kafka.topics import Topics

KEY: Final = b"a key of thirty-two bytes for it"
_SECRET: Final = f"whsec_{base64.b64encode(KEY).decode()}"


class Answer(NamedTuple):
    """What came of one request."""

    status: int
    """0: the connection broke."""
    seconds: float
    attempts: int


class Gateway(Child):
    """``breachwatch gateway`` with the feed ``app`` in our own contract."""

    def __init__(self, broker: str, topics: Topics, folder: Path, *flags: str, cores: set[int] = WORKERS) -> None:
        self.port, self.page_port = free_port(), free_port()
        log = folder / f"gateway-{time.monotonic_ns()}.log"
        arguments = ["-m", "stream", "gateway", "--broker", broker, "--topic-prefix", topics.prefix]
        arguments += ["--listen", f"127.0.0.1:{self.port}", "--metrics-port", str(self.page_port)]
        (folder / "secret").write_text(_SECRET, "utf-8")
        arguments += ["--feed", "app=events", "--secret", f"app=file:{folder / 'secret'}", *flags]
        super().__init__(log, *arguments, cores=cores)

    def ready(self) -> None:
        """Wait until it takes requests."""

        def is_ready() -> bool:
            self.check()
            return "ready: feeds" in self.log.read_text("utf-8")

        until(is_ready, "the gateway is ready")


def payload(number: int, size: int = 600) -> bytes:
    """An event of one ticket, of about so many bytes, as helpdesks send."""
    names = {"id": f"e{number}", "source": "app", "ticket": f"app/{number}"}
    facts = {"type": "ticket.changed", "at": "2026-11-29T10:00:00Z", "fields": {"status": "open", "team": "first-line"}}
    body = json.dumps({**names, **facts}).encode()
    return body[:-1] + b', "ignored": "' + b"x" * max(0, size - len(body)) + b'"}'


def request(body: bytes, name: str, at: float | None = None, key: bytes = KEY, *headers: str) -> bytes:
    """The bytes of a request, signed by Standard Webhooks."""
    seconds = str(int(time.time() if at is None else at))
    signature = base64.b64encode(hmac.new(key, b".".join((name.encode(), seconds.encode(), body)), "sha256").digest()).decode()
    lines = ["POST /feeds/app HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"webhook-id: {name}", f"webhook-timestamp: {seconds}", f"webhook-signature: v1,{signature}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Connection:
    """A connection that is opened again when it breaks, to the next of some ports."""

    def __init__(self, ports: Sequence[int], first: int) -> None:
        self._ports, self._next = ports, first
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, data: bytes) -> int:
        """The status of the answer; 0: there was none."""
        try:
            if self._streams is None:
                port = self._ports[self._next % len(self._ports)]
                self._streams = await asyncio.open_connection("127.0.0.1", port)
            reader, writer = self._streams
            writer.write(data)
            head = await reader.readuntil(b"\r\n\r\n")
            length = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            await reader.readexactly(length[0] if length else 0)
            if b"connection: close" in head.lower():
                self.close()
            return int(head.split(b" ", 2)[1])
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return 0

    def close(self) -> None:
        """Take the next port from now on."""
        if self._streams is not None:
            self._streams[1].transport.abort()
        self._streams = None
        self._next += 1


async def send(ports: Sequence[int], seconds: float, connections: int, size: int = 600) -> list[Answer]:
    """Send for so long, over so many connections; each request is repeated until it is accepted."""
    answers: list[Answer] = []
    numbers = iter(range(10**9))
    end = time.perf_counter() + seconds

    async def one(first: int) -> None:
        connection = Connection(ports, first)
        while time.perf_counter() < end:
            number = next(numbers)
            data = request(payload(number, size), f"msg_{number}")
            began, attempts, status = time.perf_counter(), 0, 0
            while status != 200 and attempts < 100:
                status = await connection.ask(data)
                attempts += 1
                if status != 200:
                    await asyncio.sleep(0.01)
            answers.append(Answer(status, time.perf_counter() - began, attempts))
        connection.close()

    await asyncio.gather(*(one(number) for number in range(connections)))
    return answers


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so many of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
