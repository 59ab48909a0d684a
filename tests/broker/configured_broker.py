"""The embedded broker with other settings: Apache Kafka's own defaults, or what a test needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stream.devkafka.broker import Broker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NEEDED_BY_A_SINGLE_NODE: Final = (
    "process.roles",
    "node.id",
    "controller.quorum.voters",
    "listeners",
    "advertised.listeners",
    "listener.security.protocol.map",
    "inter.broker.listener.name",
    "controller.listener.names",
    "log.dirs",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "transaction.state.log.min.isr",
    "share.coordinator.state.topic.replication.factor",
    "share.coordinator.state.topic.min.isr",
)


class ConfiguredBroker(Broker):
    """``changes``: settings to add or replace, ``None`` to leave one to Kafka."""

    def __init__(self, changes: Mapping[str, object | None], *, port: int = 0, data: Path | None = None) -> None:
        super().__init__(port=port, data=data)
        self.changes = dict(changes)

    def _occupy(self) -> Path:
        logs = super()._occupy()
        file = self.data / "server.properties"
        usual = dict(line.split("=", 1) for line in file.read_text("utf-8").splitlines())
        settings = {name: value for name, value in {**usual, **self.changes}.items() if value is not None}
        file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), "utf-8")
        return logs


class ApacheBroker(ConfiguredBroker):
    """Everything as Apache Kafka has it, but for what a single node on this machine needs."""

    def __init__(self) -> None:
        super().__init__({})

    def _occupy(self) -> Path:
        logs = super()._occupy()
        file = self.data / "server.properties"
        lines = file.read_text("utf-8").splitlines(keepends=True)
        file.write_text("".join(line for line in lines if line.partition("=")[0] in NEEDED_BY_A_SINGLE_NODE), "utf-8")
        return logs
