"""The broker of the Compose file, as far as it can be had without an engine: its settings, on the same Kafka."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import yaml
from click.testing import CliRunner

from stream.cli.main import main
from stream.demo.feed import feed
from stream.devkafka.broker import Broker
from stream.devkafka.ports import free_port
from stream.language.policies import load, shipped
from stream.runtime.kafka.topic_admin import create, verify
from stream.runtime.kafka.topics import Topics
from tests.broker.running import read

ROOT = Path(__file__).parents[2]
PREFIX = "KAFKA_"


class Composed(Broker):
    """A broker with the variables of the Compose file as its properties, the way its image makes them, on free ports."""

    def _occupy(self) -> Path:
        logs = super()._occupy()
        variables = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]["kafka"]["environment"]
        assert all(name.startswith(PREFIX) for name in variables)
        here = {"19092": str(self.port), "9092": str(free_port()), "9094": str(free_port())}
        properties = {name.removeprefix(PREFIX).lower().replace("_", "."): value for name, value in variables.items()}
        for name, value in properties.items():
            for port, mine in here.items():
                value = value.replace(f":{port}", f":{mine}")
            # The names of the network are this machine here; Kafka binds an address without a name to all.
            properties[name] = value.replace("//:", "//127.0.0.1:").replace("//kafka:", "//127.0.0.1:")
        properties["log.dirs"] = str(logs)
        text = "".join(f"{name}={value}\n" for name, value in properties.items())
        (self.data / "server.properties").write_text(text, "utf-8")
        return logs


def test_it_starts_takes_our_topics_and_the_whole_feed_of_the_demo() -> None:
    topics = Topics(app_id="composed")
    with Composed() as broker:
        asyncio.run(create(broker.bootstrap, topics, partitions=4))
        assert asyncio.run(verify(broker.bootstrap, topics, partitions=4)) == []
        played = CliRunner().invoke(main, ["publish", "demo", "--broker", broker.bootstrap])
        assert played.exit_code == 0, played.output
        kept = read(broker.bootstrap, topics.events)

    records = feed(load([shipped("batoi")]).calendars["batoi-office"])
    assert Counter(record.value for record in kept) == Counter(
        r.value for r in records for _ in range(4 if r.everywhere else 1)
    )
