"""Faust's partition assignor with the configured number of partitions, instead of the number in the cluster's metadata.

Faust takes the number of partitions of a topic from the leader's metadata, and assigns none of a topic that is missing there. A
broker that has just started does not show all of its topics yet. All workers would then be ready with nothing to do until the
next rebalance.
"""

from __future__ import annotations

from typing import Any, Final

from faust.assignor.partition_assignor import PartitionAssignor


class Assignor(PartitionAssignor):  # type: ignore[misc]  # Faust ships no types mypy could follow
    """Every topic has ``partitions`` partitions. Each worker checks this setting at its start."""

    def assign(self, cluster: Any, member_metadata: Any) -> Any:  # noqa: ARG002  the signature is Faust's
        return super().assign(_Cluster(self.app.conf.topic_partitions), member_metadata)


class _Cluster:
    """The part of the cluster's metadata that an assignment uses."""

    def __init__(self, partitions: int) -> None:
        self._partitions: Final = set(range(partitions))

    def partitions_for_topic(self, topic: str) -> set[int]:  # noqa: ARG002  all topics have the same number
        return self._partitions
