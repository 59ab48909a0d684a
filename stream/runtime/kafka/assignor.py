"""Who gets which partitions: as Faust divides them, but of as many as there are, not of as many as are known at the moment.

Faust asks the leader's view of the cluster how many partitions a topic has, and gives nobody anything of a topic it does not
find there. A broker that has just started does not show all of its topics yet: then all workers were ready, with nothing to
do, until the next rebalance.
"""

from __future__ import annotations

from typing import Any, Final

from faust.assignor.partition_assignor import PartitionAssignor


class Assignor(PartitionAssignor):  # type: ignore[misc]  # Faust ships no types mypy could follow
    """Every topic has ``partitions`` partitions: that is a setting, and checked at the start of each worker."""

    def assign(self, cluster: Any, member_metadata: Any) -> Any:  # noqa: ARG002  the signature is Faust's
        return super().assign(_Known(self.app.conf.topic_partitions), member_metadata)


class _Known:
    """As much of a cluster as an assignment asks for."""

    def __init__(self, partitions: int) -> None:
        self._partitions: Final = set(range(partitions))

    def partitions_for_topic(self, topic: str) -> set[int]:  # noqa: ARG002  all have as many
        return self._partitions
