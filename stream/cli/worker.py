"""``breachwatch worker``: check everything that can be wrong before the first event, then run until told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from stream.runtime.settings import ClockMode, SettingsError, from_command, options

if TYPE_CHECKING:
    from stream.runtime.settings import Settings
    from stream.sla.policy.resolve import PolicySet

USAGE: Final = 2
"""Exit status when settings, policies or topics are wrong: starting again will not help."""
TURN_OF_A_THREAD: Final = 0.001
_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 5.0

log = logging.getLogger("stream.worker")


@click.command(help="Run a worker: ticket events in, breaches and escalations out. Ends with Ctrl-C or SIGTERM.")
@options
def command(config: Path | None, **flags: str | None) -> None:
    try:
        settings = from_command(config, flags, os.environ)
    except SettingsError as error:
        _refuse("the settings are wrong", error.problems)
    _log_to_stderr()
    files, policies = _policies(settings)
    problems = asyncio.run(_topic_problems(settings, _client(settings)))
    if problems:
        _refuse("the topics are not as they must be", problems)
    _run(settings, files, policies)


def _policies(settings: Settings) -> tuple[list[Path], PolicySet]:
    """The files that the settings name, and what they say."""
    from stream.language.document import PolicyError
    from stream.language.policies import load, shipped

    files, problems = [], []
    for name in settings.policies:
        path = Path(name)
        try:
            files.append(path if path.exists() or path.suffix in (".yaml", ".yml") else shipped(name))
        except ValueError as error:
            problems.append(f"policies: {error}")
    if problems:
        _refuse("the settings are wrong", problems)
    try:
        return files, load(files)
    except PolicyError as error:
        _refuse("the policies are wrong", str(error).splitlines())


def _client(settings: Settings) -> dict[str, Any]:
    from stream.runtime.kafka.connection import client_options

    try:
        return client_options(settings)
    except OSError as error:
        _refuse("the settings are wrong", [f"a certificate or key file cannot be used: {error}"])


async def _topic_problems(settings: Settings, client: dict[str, Any]) -> list[str]:
    """Problems with the topics. Asks until a broker answers: it may be starting, as this worker is."""
    from aiokafka.errors import KafkaError

    from stream.runtime.kafka.connection import why_not
    from stream.runtime.kafka.topics import Topics, verify

    topics = Topics(settings.app_id, settings.topic_prefix)
    bootstrap = ",".join(settings.broker)
    wait = _FIRST_WAIT
    while True:
        try:
            return await verify(bootstrap, topics, partitions=settings.partitions, client=client)
        except (KafkaError, OSError) as error:
            refusal = await why_not(client)
            if refusal.final:
                _refuse(f"the Kafka broker at {bootstrap} does not let it in", [refusal.text])
            text = "no answer from the Kafka broker at %s (%s): %s; asking again in %.1f s"
            log.warning(text, bootstrap, error, refusal.text, wait)
        await asyncio.sleep(wait)
        wait = min(2 * wait, _LONGEST_WAIT)


def _run(settings: Settings, files: list[Path], policies: PolicySet) -> NoReturn:
    from faust.worker import Worker

    from stream.observe.metrics.policy_info import export_policies_loaded
    from stream.observe.metrics.registry import Metrics
    from stream.observe.pages.site import Site
    from stream.observe.server import serve
    from stream.runtime import gc_tuning
    from stream.runtime.app import App
    from stream.runtime.viewer import Viewer
    from stream.sla.engine import Engine

    # Threads that make pages take turns with the event loop, each for so many seconds; by default five times as long.
    sys.setswitchinterval(TURN_OF_A_THREAD)
    metrics = Metrics(policies, now=None if settings.clock is ClockMode.EVENT else lambda: time.time_ns() // 1_000)
    export_policies_loaded(files, time.time(), metrics.registry)
    app = App(settings, metrics, Engine(policies, history=settings.history))
    try:
        pages = serve(
            metrics.registry,
            settings.metrics_address,
            settings.metrics_port,
            app.readiness,
            Site(Viewer(app)),
            settings.token,
        )
    except OSError as error:
        where = f"{settings.metrics_address}:{settings.metrics_port}"
        _refuse(f"{where} cannot be had for the metrics pages", [f"{error.strerror}: set --metrics-port, 0 for any"])
    app.advertise(settings.advertise or reachable_at(settings.metrics_address, pages.port))
    log.info("pages on http://%s:%d/, advertised as %s", settings.metrics_address, pages.port, app.address)
    gc_tuning.configure()
    worker = Worker(app, quiet=True, override_logging=False, redirect_stdouts=False)
    worker.spinner = None
    worker.execute_from_commandline()
    raise AssertionError("Faust's worker ends the process")


def reachable_at(host: str, port: int) -> str:
    """Where others reach what is bound to ``host``: of one that means all addresses, by this machine's name."""
    if host in ("0.0.0.0", "::"):  # noqa: S104  it is compared, not bound
        host = socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Sparingly(logging.Filter):
    """Of what the libraries report, at most a line a second: while a broker is away they report each try of each request."""

    def __init__(self) -> None:
        super().__init__()
        self._last = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("stream") or record.levelno >= logging.CRITICAL:
            return True
        if record.created - self._last < 1:
            return False
        self._last = record.created
        return True


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.addFilter(_Sparingly())
    text = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.WARNING, format=text, handlers=[handler], force=True)
    logging.getLogger("stream").setLevel(logging.INFO)
    # Below this level they report each step of a rebalance.
    for library in ("faust", "mode", "aiokafka"):
        logging.getLogger(library).setLevel(logging.ERROR)


def _refuse(what: str, problems: list[str]) -> NoReturn:
    click.echo(f"breachwatch worker: {what}:", err=True)
    for problem in problems:
        click.echo(f"  {problem}", err=True)
    sys.exit(USAGE)
