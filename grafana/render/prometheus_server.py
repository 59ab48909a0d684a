"""A Prometheus server on this machine, for as long as it is needed."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

from stream.devkafka.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE: Final = 90.0
"""Seconds after which waiting for a server fails."""


class Prometheus:
    """A running server. ``began`` and ``ended``: the time that the dashboards show, epoch seconds."""

    def __init__(self, port: int) -> None:
        self.url: Final = f"http://127.0.0.1:{port}"
        self.began = self.ended = time.time()

    def ask(self, path: str, **parameters: str | float) -> Any:
        """The data that the API returns. Raises OSError when it refuses."""
        with urlopen(f"{self.url}/api/v1/{path}?{urlencode(parameters)}") as answer:  # noqa: S310  our own address
            return json.load(answer)["data"]

    def number(self, expression: str) -> float | None:
        """The value of an expression now, if it has exactly one."""
        found = self.ask("query", query=expression)["result"]
        return float(found[0]["value"][1]) if len(found) == 1 else None

    def over_time(self, expression: str, start: float, end: float, step: float) -> Any:
        """The series of an expression: labels in ``metric``, pairs of instant and text in ``values``."""
        return self.ask("query_range", query=expression, start=start, end=end, step=step)["result"]

    def evaluated(self) -> float:
        """The instant, in epoch seconds, up to which every group of rules has been evaluated."""
        return min(datetime.fromisoformat(group["lastEvaluation"]).timestamp() for group in self.ask("rules")["groups"])


@contextmanager
def serving(folder: Path, *flags: str) -> Iterator[Prometheus]:
    """A server with the configuration ``folder/prometheus.yml`` and the data in ``folder/tsdb``."""
    server = shutil.which("prometheus")
    if server is None:
        raise FileNotFoundError("prometheus is missing: install the Debian package prometheus")
    port = free_port()
    command = [server, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn", *flags]
    with (
        (folder / "prometheus.log").open("ab") as log,
        subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) as process,  # noqa: S603  nothing of it comes from outside
    ):
        try:
            prometheus = Prometheus(port)
            wait_until(lambda: prometheus.number("vector(1)") == 1)
            yield prometheus
        finally:
            process.terminate()


def wait_until(true: Callable[[], bool]) -> None:
    """Ask until it is true. Raises TimeoutError after ``PATIENCE`` seconds."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if true():
                return
        except URLError as error:
            if time.monotonic() > deadline:
                raise TimeoutError("Prometheus does not answer") from error
        if time.monotonic() > deadline:
            raise TimeoutError("Prometheus has not seen the end of the run")
        time.sleep(0.2)
