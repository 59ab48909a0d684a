"""A second node of a cluster, so that leaders and coordinators can move and replicas can be missing."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.broker.configured_broker import ConfiguredBroker

if TYPE_CHECKING:
    from pathlib import Path

    from stream.devkafka.broker import Broker


class SecondNode(ConfiguredBroker):
    """A broker that joins the cluster of the first node, which is its controller."""

    def __init__(self, first: Broker) -> None:
        super().__init__({})
        self._first = first

    def _occupy(self) -> Path:
        lines = (self._first.data / "server.properties").read_text("utf-8").splitlines()
        voters = dict(line.split("=", 1) for line in lines)["controller.quorum.voters"]
        self.changes = {
            **getattr(self._first, "changes", {}),
            "process.roles": "broker",
            "node.id": 2,
            "controller.quorum.voters": voters,
            "listeners": f"CLIENT://{self.bootstrap}",
            "advertised.listeners": f"CLIENT://{self.bootstrap}",
        }
        return super()._occupy()

    def _format(self, command: list[str], properties: str) -> None:
        meta = (self._first.data / "kafka" / "meta.properties").read_text("utf-8").splitlines()
        cluster = dict(line.split("=", 1) for line in meta if "=" in line)["cluster.id"]
        arguments = [
            "kafka.tools.StorageTool",
            "format",
            f"--cluster-id={cluster}",
            "--ignore-formatted",
            "--config",
            properties,
        ]
        subprocess.run([*command, *arguments], check=True, capture_output=True, timeout=90)
