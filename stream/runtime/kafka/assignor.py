"""Faust's partition assignor with the configured number of partitions, and with messages whose size suits large groups.

Faust takes the number of partitions of a topic from the leader's metadata, and assigns none of a topic that is missing there. A
broker that has just started does not show all of its topics yet. All workers would then be ready with nothing to do until the
next rebalance.

In Faust each member sends the leader where all partitions of the group are, and gets that twice in its assignment. The broker
keeps the messages of all members in one record, whose size grows with the square of the group: with 100 members it exceeded the
limit of a record, and no rebalance could end. Here a member sends what the leader reads, and gets the partitions of all once.
"""

from __future__ import annotations

from typing import Any, Final

from faust.assignor.client_assignment import ClientMetadata
from faust.assignor.partition_assignor import PartitionAssignor


class Assignor(PartitionAssignor):  # type: ignore[misc]  # Faust ships no types mypy could follow
    """Every topic has ``partitions`` partitions. Each worker checks this setting at its start."""

    @property
    def _metadata(self) -> Any:
        """What a member sends: the leader reads its address, and its partitions so that it can keep them."""
        return ClientMetadata(
            assignment=self._assignment,
            url=str(self._url),
            changelog_distribution={},
            external_topic_distribution={},
            topic_groups={},
        )

    def assign(self, cluster: Any, member_metadata: Any) -> Any:  # noqa: ARG002  the signature is Faust's
        return super().assign(_Cluster(self.app.conf.topic_partitions), member_metadata)

    def _get_external_topic_distribution(self, assignments: Any) -> Any:  # noqa: ARG002  the signature is Faust's
        """Nothing: the input has the partitions of the changelog, which are in the assignment anyway."""
        return {}


class _Cluster:
    """The part of the cluster's metadata that an assignment uses."""

    def __init__(self, partitions: int) -> None:
        self._partitions: Final = set(range(partitions))

    def partitions_for_topic(self, topic: str) -> set[int]:  # noqa: ARG002  all topics have the same number
        return self._partitions
