"""Kafka does what the broker of the simulation does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from stream.runtime.kafka.clients import AiokafkaClients
from stream.runtime.settings_sources import load
from tests.simulation.broker_script import EXPECTED, play

if TYPE_CHECKING:
    from stream.runtime.kafka.topics import Topics


def test_a_real_broker_fences_aborts_and_hides_as_the_simulated_one(broker: str, topics: Topics) -> None:
    clients = AiokafkaClients(load({"policies": "batoi", "broker": broker}, {}))

    assert asyncio.run(play(clients, topics)) == EXPECTED
