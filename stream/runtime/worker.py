"""Builds and runs a worker. Only this file connects the parts: each one gets its dependencies as arguments."""

from __future__ import annotations

import errno
import logging
import socket
import sys
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import urlsplit

from faust.worker import Worker

from stream.compiled import hot_path
from stream.observe.metrics.labels import LabelBounds
from stream.observe.metrics.registry import Metrics
from stream.observe.pages.neighbours import Neighbours
from stream.observe.pages.routes import Routes
from stream.observe.pages.site import Site
from stream.observe.pages.ticket_links import TicketLinks
from stream.observe.server import listening, serve
from stream.runtime import gc_tuning
from stream.runtime.abort import abort
from stream.runtime.app import App
from stream.runtime.clock import SystemClock
from stream.runtime.deployments import DeploymentFollower
from stream.runtime.gauges import DeploymentGauges, FeedGauges, Gauges, TopicGauges
from stream.runtime.preflight import client_of, policies_of, prepare
from stream.runtime.settings import ClockMode
from stream.runtime.signals import run_until_signal
from stream.runtime.startup import RefusedError
from stream.runtime.suspension import SuspensionDetector
from stream.runtime.viewer import Viewer
from stream.runtime.watchdog import Watchdog
from stream.sla.engine import Engine
from stream.sla.settling import Lateness

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stream.runtime.settings import Settings

THREAD_SECONDS: Final = 0.001
"""The switch interval between the event loop and the threads that make pages. Python's default is five times as long."""

log = logging.getLogger("stream.worker")


def run(settings: Settings) -> NoReturn:
    """Check the configuration, then process events until a signal stops the process. Raises RefusedError.

    Inside ``stream.runtime.signals.handled_signals``.
    """
    files = policies_of(settings)
    # A worker that refuses to start deploys nothing, so an address that is taken is found before ``prepare`` deploys.
    with _refusing(settings):
        listening(settings.metrics_address, settings.metrics_port).close()
    policy_log, read = run_until_signal(prepare(settings, files))
    engine = Engine(
        read.log.deployments or files,
        history=settings.history,
        lateness=Lateness(settings.late_after, settings.settling),
        routine=settings.routine,
        keep=settings.keep_fields,
    )
    sys.setswitchinterval(THREAD_SECONDS)
    now = None if settings.clock is ClockMode.EVENT else lambda: time.time_ns() // 1_000
    bounds = LabelBounds(settings.metric_teams, settings.metric_customers, settings.metric_label_sets)
    metrics = Metrics(engine.policies, now=now, app_id=f"{settings.topic_prefix}{settings.app_id}", bounds=bounds)
    app = wire(settings, metrics, engine)
    follow(app, DeploymentFollower(policy_log, read, engine, files))
    watch_topics(app)
    _serve_pages(app)
    gc_tuning.configure()
    worker = Worker(app, quiet=True, override_logging=False, redirect_stdouts=False)
    worker.spinner = None
    worker.execute_from_commandline()
    raise AssertionError("Faust's worker ends the process")


def wire(settings: Settings, metrics: Metrics, engine: Engine) -> App:
    """The app with its watchdog, its suspension detector and its gauges."""
    suspension_detector = SuspensionDetector(settings.session_timeout / 1e6 / 2)
    app = App(settings, metrics, engine, SystemClock(metrics.clock_stepped), suspension_detector)
    session, commit = app.conf.broker_session_timeout, app.conf.broker_commit_interval
    watchdog = Watchdog(app, 2 * session, app.conf.broker_rebalance_timeout, commit)
    metrics.collectors.add("partitions", Gauges(app.shards, watchdog.lag))
    metrics.collectors.add("feeds", FeedGauges(app.shards, settings.feed_lag_limit))
    metrics.collectors.add("topics", TopicGauges(app.topic_watch))
    app.background += [suspension_detector.watch, watchdog.watch]
    return app


def follow(app: App, deployments: DeploymentFollower) -> None:
    """Let the app and its metrics follow the log of deployments. Only before the start."""
    metrics, engine = app.metrics, app.engine
    metrics.deployed(engine.policies, deployments.newest.fingerprint, time.time())
    metrics.collectors.add("deployments", DeploymentGauges(deployments))
    deployments.listeners.append(lambda entry: metrics.deployed(engine.policies, entry.fingerprint, time.time()))
    app.follow(deployments)


def watch_topics(app: App) -> None:
    """Let the app notice what happens to its topics. Only before the start. Raises RefusedError."""
    bootstrap, client = ",".join(app.settings.broker), client_of(app.settings)
    app.background.append(lambda: app.topic_watch.run(bootstrap, client, partial(abort, "on watching the topics")))


def reachable_at(host: str, port: int) -> str:
    """The URL for clients of a server on ``host``. If ``host`` stands for all addresses, it has this machine's name."""
    if host in ("0.0.0.0", "::"):  # noqa: S104  it is compared, not bound
        host = socket.gethostname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def address_remedy(error: OSError) -> str:
    """Advice for an address on which the pages cannot be served."""
    if error.errno in (errno.EADDRNOTAVAIL, socket.EAI_NONAME, socket.EAI_AGAIN):
        return "set --metrics-address to an address of this machine, or to 0.0.0.0 for all of them"
    return "set --metrics-port to another port, or to 0 for a free one"


@contextmanager
def _refusing(settings: Settings) -> Iterator[None]:
    """Turn an error of the address of the pages into RefusedError."""
    try:
        yield
    except OSError as error:
        what = f"cannot serve the pages on {settings.metrics_address}:{settings.metrics_port}"
        cause = (error.strerror or str(error)).partition(" (while ")[0]  # Python adds the address, which is in ``what``
        raise RefusedError(what, [f"{cause}: {address_remedy(error)}"]) from error


def _serve_pages(app: App) -> None:
    settings = app.settings
    host, port = settings.metrics_address, settings.metrics_port
    viewer = Viewer(app)
    advertised = urlsplit(settings.advertise or reachable_at(host, port)).hostname or ""
    hosts = (advertised, socket.gethostname(), *settings.allowed_hosts)
    neighbours, links = Neighbours(settings.token), TicketLinks(settings.ticket_url)
    site = Site(viewer, preview=viewer.preview, neighbours=neighbours, links=links, prefix=settings.page_prefix)
    routes = Routes(app.metrics.registry, app.readiness, site, settings.token, hosts, settings.page_prefix)
    with _refusing(settings):
        pages = serve(host, port, routes)
    app.advertise(settings.advertise or reachable_at(host, pages.port))
    log.info("the hot path is %s", hot_path())
    log.info("pages on http://%s:%d/, advertised as %s", host, pages.port, app.address)
