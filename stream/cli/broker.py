"""``breachwatch broker``: runs the embedded Kafka broker in the foreground."""

from __future__ import annotations

import time
from pathlib import Path

import click

from stream.devkafka.broker import Broker
from stream.devkafka.jars import BrokerError
from stream.devkafka.signals import ended_by_signals


@click.command("broker")
@click.option(
    "--port", type=click.IntRange(0, 65_535), default=9092, show_default=True, help="Port to bind; 0 selects a free one."
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for topics and logs. It is kept and reused. Default: a temporary folder.",
)
@click.option("--keep", is_flag=True, help="Keep the temporary folder and print its path.")
def command(port: int, data: Path | None, keep: bool) -> None:
    """Run an embedded Apache Kafka broker on 127.0.0.1 until Ctrl-C or SIGTERM.

    This is a real single-node Kafka (KRaft). It needs neither Docker nor Java. The first run downloads its jars (45 MB) to
    ~/.cache/breachwatch. Later runs start in seconds and need no network. Use it for trials and tests only: it has neither
    replication nor access control, and only this machine can reach it.
    """
    broker = Broker(port=port, data=data, keep=keep, progress=lambda line: click.echo(line, err=True))
    with ended_by_signals():
        try:
            with broker:
                click.echo(f"Kafka serves on {broker.bootstrap}; log: {broker.log}; stop it with Ctrl-C.")
                while broker.alive:
                    time.sleep(0.5)
                raise click.ClickException(f"the broker has exited unexpectedly; see its log: {broker.log}")
        except KeyboardInterrupt:
            kept = f"; its data is kept in {broker.data}" if broker.data.exists() else ""
            click.echo(f"Kafka on {broker.bootstrap} has stopped{kept}.")
        except BrokerError as error:
            raise click.ClickException(str(error)) from error
