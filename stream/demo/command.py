"""``breachwatch demo``: a broker, topics, workers, a feed and a view on this machine. It ends by itself and leaves nothing.

With ``--stack`` it also runs Prometheus and Alertmanager. It then shows the whole way from an unanswered chat to an alert, and
fails if the alert does not arrive.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import yaml
from aiokafka.admin import AIOKafkaAdminClient
from rich.console import Console

from stream.demo.alerts import Alerts
from stream.demo.feed import feed
from stream.demo.stack import MISSING, installed, stack_running
from stream.demo.traffic import PARTITIONS, TOPICS, Inputs, Outputs
from stream.demo.view import View
from stream.demo.worker import workers_running
from stream.devkafka.broker import Broker
from stream.devkafka.child import DemoError
from stream.devkafka.jars import BrokerError
from stream.devkafka.signals import ended_by_signals, run
from stream.documents.document import read_document
from stream.language.policies import load, shipped
from stream.runtime.kafka.topic_admin import create

if TYPE_CHECKING:
    from stream.demo.written_tickets import FeedRecord
    from stream.devkafka.child import Child
    from stream.sla.calendar.calendar import Calendar

_STALLED_SECONDS: Final = 30
"""The demo fails after this time without progress of the workers."""
_INTERRUPTED: Final = 130
"""The exit status after Ctrl-C, as in shells."""


@click.command("demo")
@click.option("--seconds", type=click.FloatRange(1, 600), default=40, show_default=True, help="How long the feed takes.")
@click.option("--stack", is_flag=True, help="Run two workers, and show alerts if Prometheus and Alertmanager are installed.")
@click.option("--keep", is_flag=True, help="Keep everything running after the feed has ended, until Ctrl-C.")
def command(seconds: float, stack: bool, keep: bool) -> None:
    """Show two weeks of a support desk in less than a minute, on a Kafka broker and a worker of its own.

    The desk's customers have the Batoi Priority Support policy, with the public holidays of India. The events of the
    feed set the time. Everything runs on this machine in a temporary folder, which is deleted at the end.

    With --stack the demo continues until an alert arrives: nobody answers the customers' chats, and the demo fails if no
    notification arrives. Prometheus and Alertmanager use the shipped rules and routes, but run faster.
    """
    console = Console(width=None if sys.stdout.isatty() else 150)
    with ended_by_signals():
        try:
            _Demo(console, stack=stack).show(seconds, keep=keep)
        except KeyboardInterrupt:
            console.print("Stopped before the end. All its processes have ended and its files are deleted.")
            raise click.exceptions.Exit(_INTERRUPTED) from None
        except (DemoError, BrokerError) as error:
            raise click.ClickException(str(error)) from error


def write_policy(folder: Path) -> Path:
    """Write the Batoi policy with the public holidays of India; the shipped one leaves the holidays open."""
    policy: Any = read_document(shipped("batoi")).data
    policy["calendars"]["batoi-office"]["holidays"] = [{"country": "IN"}]
    path = folder / "policy.yaml"
    path.write_text(yaml.safe_dump(policy, sort_keys=False), "utf-8")
    return path


class _Demo:
    def __init__(self, console: Console, *, stack: bool) -> None:
        self._console = console
        self._stack = stack
        self._alerts = stack and installed()
        self._children: list[Child] = []
        self._broker: Broker

    def show(self, seconds: float, *, keep: bool) -> None:
        print_line = self._console.print
        print_line(f"Starting a Kafka broker, the topics and {'two workers' if self._stack else 'a worker'}...")
        if self._stack and not self._alerts:
            print_line(MISSING)
        began = time.monotonic()
        with ExitStack() as ending:
            folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="breachwatch-demo-")))
            self._broker = ending.enter_context(Broker(progress=print_line))
            asyncio.run(create(self._broker.bootstrap, TOPICS, partitions=PARTITIONS))
            policy = write_policy(folder)
            hours = load([policy]).calendars["batoi-office"]
            settings = {
                "BROKER": self._broker.bootstrap,
                "POLICIES": str(policy),
                "APP_ID": TOPICS.app_id,
                "PARTITIONS": str(PARTITIONS),
                "CLOCK": "event",
            }
            workers = ending.enter_context(workers_running(folder, settings, count=2 if self._stack else 1))
            self._children += workers
            view = View(self._console, f"{workers[0].url}/metrics")
            alerts = None
            if self._alerts:
                print_line("Starting Prometheus and Alertmanager...")
                alerts = Alerts(view)
                self._children += ending.enter_context(stack_running(folder, workers, alerts.receive))
            records = feed(hours)
            with view:
                run(self._run(view, records, seconds, alerts, hours))
            view.summary()
            took = time.monotonic() - began
            effects = sum(view.totals.kinds.values())
            print_line(f"{len(records)} records in, {effects} effects out; 12 days of a desk in {took:.0f} s.")
            if alerts is not None:
                print_line(alerts.summary())
            if keep:
                self._stay()
        print_line("All processes of the demo have ended and its files are deleted.")

    async def _run(self, view: View, records: list[FeedRecord], seconds: float, alerts: Alerts | None, hours: Calendar) -> None:
        """Publish the feed and show the effects, until all of them are shown and the alert has arrived."""
        inputs, outputs = Inputs(self._broker.bootstrap), Outputs(self._broker.bootstrap, view)
        await inputs.start()
        await outputs.start()

        async def play() -> None:
            await inputs.play(view, records, seconds)
            await self._until_processed(outputs)
            await outputs.until_shown()
            if alerts is not None:
                await alerts.provoke(inputs, hours)

        tasks = [asyncio.create_task(each) for each in (outputs.read(), self._watch(), play())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await outputs.stop()
            await inputs.stop()
        for task in tasks:
            if not task.cancelled():
                task.result()

    async def _until_processed(self, outputs: Outputs) -> None:
        """Wait until the committed offsets reach the end of the input: then all effects are in the output topics."""
        ends = await outputs.ends(TOPICS.events)
        admin = AIOKafkaAdminClient(bootstrap_servers=self._broker.bootstrap)
        await admin.start()
        try:
            seen, since = None, time.monotonic()
            while True:
                offsets = await admin.list_consumer_group_offsets(TOPICS.group)
                committed = {partition: offsets[partition].offset for partition in ends if partition in offsets}
                if committed == ends:
                    return
                if (committed, outputs.shown) != seen:
                    seen, since = (committed, outputs.shown), time.monotonic()
                elif time.monotonic() - since > _STALLED_SECONDS:
                    raise self._children[0].failed(f"made no progress for {_STALLED_SECONDS} s: at {committed} of {ends}")
                await asyncio.sleep(0.2)
        finally:
            await admin.close()

    async def _watch(self) -> None:
        while True:
            self._all_alive()
            await asyncio.sleep(0.2)  # nothing notifies of the end of a process

    def _all_alive(self) -> None:
        for child in self._children:
            if child.process.poll() is not None:
                raise child.failed(f"ended by itself, with status {child.process.returncode}")
        if not self._broker.alive:
            raise DemoError(f"the broker ended by itself; its log: {self._broker.log}")

    def _stay(self) -> None:
        self._console.print(f"Still running: Kafka on {self._broker.bootstrap} (log {self._broker.log})")
        for child in self._children:
            self._console.print(f"  {child.name}: {child.url} (log {child.log})")
        self._console.print("Press Ctrl-C to stop all of it.")
        try:
            while True:
                self._all_alive()
                time.sleep(0.5)
        except KeyboardInterrupt:
            return
