"""Prometheus and Alertmanager for the demo: this machine's own, with the configuration that ships, at a quicker pace."""

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
"""How much faster than shipped: a minute takes two seconds, worker pages are read twice a second."""
MISSING: Final = (
    "Prometheus and Alertmanager are not both installed, so the demo goes on without alerts. "
    "To see them too (Debian, Ubuntu): apt install prometheus prometheus-alertmanager"
)
_PROGRAMS: Final = ("prometheus", "prometheus-alertmanager")
_SHIPPED: Final = Path(__file__).parents[2] / "prometheus"


class Stack(NamedTuple):
    """The two servers."""

    prometheus: Child
    alertmanager: Child


def installed() -> bool:
    """Whether this machine has both programs. Raises ``DemoError`` where the files that ship are not at hand."""
    if not _SHIPPED.is_dir():
        raise DemoError("--stack needs the folder prometheus/ of a checkout; an installed package does not have it")
    return all(shutil.which(program) for program in _PROGRAMS)


@contextmanager
def stack_running(
    folder: Path, workers: Sequence[Child], notify: Callable[[Notification], object], pace: int = PACE
) -> Iterator[Stack]:
    """Both, ready, with their data and logs in ``folder``; ``notify`` is called, in another thread, with what is sent.

    Raises ``DemoError`` with the end of its log when one does not get ready.
    """
    with ExitStack() as ending:
        webhook = ending.enter_context(Webhook(notify))
        alertmanager = ending.enter_context(alertmanager_running(folder, webhook.url, pace))
        port = free_port()
        itself, told = f"127.0.0.1:{port}", f"127.0.0.1:{alertmanager.port}"
        config = write_prometheus(_SHIPPED, folder, pace, [f"127.0.0.1:{each.port}" for each in workers], itself, told)
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
    """Alertmanager alone, which tells the webhook at this URL."""
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
