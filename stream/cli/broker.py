"""``breachwatch broker``: the embedded Kafka broker in the foreground."""

from __future__ import annotations

import time
from pathlib import Path

import click

from stream.devkafka.broker import Broker
from stream.devkafka.jars import BrokerError
from stream.devkafka.signals import ended_by_signals


@click.command("broker")
@click.option("--port", type=click.IntRange(0, 65_535), default=9092, show_default=True, help="0 takes a free one.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for topics and logs; it stays, and is used again the next time. Without it: a temporary folder.",
)
@click.option("--keep", is_flag=True, help="Leave the temporary folder behind, and say where it is.")
def command(port: int, data: Path | None, keep: bool) -> None:
    """Run an embedded Apache Kafka broker on 127.0.0.1 until Ctrl-C or SIGTERM.

    A real single-node Kafka (KRaft): no Docker and no Java needed. The first run fetches its jars, 45 MB, into
    ~/.cache/breachwatch; later ones start in seconds, without network. It is for trials and tests: one node, no
    replication, no access control, reachable from this machine only.
    """
    broker = Broker(port=port, data=data, keep=keep, progress=lambda line: click.echo(line, err=True))
    with ended_by_signals():
        try:
            with broker:
                click.echo(f"Kafka serves on {broker.bootstrap}; log: {broker.log}; end it with Ctrl-C.")
                while broker.alive:
                    time.sleep(0.5)
                raise click.ClickException(f"the broker ended by itself; log: {broker.log}")
        except KeyboardInterrupt:
            kept = f"; its data stays in {broker.data}" if broker.data.exists() else ""
            click.echo(f"Kafka on {broker.bootstrap} has stopped{kept}.")
        except BrokerError as error:
            raise click.ClickException(str(error)) from error
