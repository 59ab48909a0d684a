"""Runs Prometheus and Alertmanager of this machine for the demo, with the shipped configuration at a faster pace."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from stream.demo.stack_files import write_alertmanager, write_prometheus
from stream.demo.webhook import Notification, Webhook
from stream.devkafka.child import Child, DemoError, running
from stream.devkafka.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PACE: Final = 30
"""The factor by which all durations of the shipped configuration are divided: a minute takes two seconds."""
MISSING: Final = (
    "Prometheus and Alertmanager are not both installed, so the demo continues without alerts. "
    "To install them (Debian, Ubuntu): apt install prometheus prometheus-alertmanager"
)
_PROGRAMS: Final = ("prometheus", "prometheus-alertmanager")
_SHIPPED: Final = Path(__file__).parents[2] / "prometheus"


class Stack(NamedTuple):
    """The two servers."""

    prometheus: Child
    alertmanager: Child


def installed() -> bool:
    """Whether this machine has both programs. Raises ``DemoError`` if the shipped configuration is missing."""
    if not _SHIPPED.is_dir():
        raise DemoError("--stack needs the folder prometheus/ of a checkout; an installed package does not have it")
    return all(shutil.which(program) for program in _PROGRAMS)


@contextmanager
def stack_running(
    folder: Path, workers: Sequence[Child], notify: Callable[[Notification], object], pace: int = PACE
) -> Iterator[Stack]:
    """Run both servers with their data and logs in ``folder``. Another thread calls ``notify`` with each notification.

    Raises ``DemoError`` with the end of the log if a server does not become ready.
    """
    with ExitStack() as ending:
        webhook = ending.enter_context(Webhook(notify))
        alertmanager = ending.enter_context(alertmanager_running(folder, webhook.url, pace))
        port = free_port()
        itself, receiver = f"127.0.0.1:{port}", f"127.0.0.1:{alertmanager.port}"
        config = write_prometheus(_SHIPPED, folder, pace, [f"127.0.0.1:{each.port}" for each in workers], itself, receiver)
        command = [
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'prometheus-data'}",
            f"--web.listen-address={itself}",
            f"--rules.alert.resend-delay={max(1, 60 // pace)}s",
            "--enable-feature=exemplar-storage",
        ]
        prometheus = ending.enter_context(running("Prometheus", command, folder / "prometheus.log", port, "/-/ready"))
        yield Stack(prometheus, alertmanager)


@contextmanager
def alertmanager_running(folder: Path, webhook: str, pace: int = PACE) -> Iterator[Child]:
    """Run Alertmanager alone, which notifies the webhook at this URL."""
    port = free_port()
    command = [
        "prometheus-alertmanager",
        f"--config.file={write_alertmanager(_SHIPPED, folder, pace, webhook)}",
        f"--storage.path={folder / 'alertmanager-data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with running("Alertmanager", command, folder / "alertmanager.log", port, "/-/ready") as child:
        yield child
