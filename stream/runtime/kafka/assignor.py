"""Faust's partition assignor with the configured number of partitions, and with messages whose size suits large groups.

Faust takes the number of partitions of a topic from the leader's metadata, and assigns none of a topic that is missing there. A
broker that has just started does not show all of its topics yet. All workers would then be ready with nothing to do until the
next rebalance.

In Faust each member sends the leader where all partitions of the group are, and gets that twice in its assignment. The broker
keeps the messages of all members in one record, whose size grows with the square of the group: with 100 members it exceeded the
limit of a record, and no rebalance could end. Here a member sends what the leader reads, and gets the partitions of all once.

Faust takes from each member what exceeds the smallest share before it assigns the rest. Where the number of partitions is not a
multiple of the number of members, it moved a fifth of 256 partitions of 100 members at each rebalance, also if nothing had
changed, and each partition that moves has its tickets restored. Here no partition moves that need not.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from faust.assignor.client_assignment import ClientAssignment, ClientMetadata
from faust.assignor.partition_assignor import PartitionAssignor

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class Assignor(PartitionAssignor):  # type: ignore[misc]  # Faust ships no types mypy could follow
    """Every topic has ``partitions`` partitions. Each worker checks this setting at its start."""

    @property
    def _metadata(self) -> Any:
        """The metadata of a member: the leader reads its address, and its partitions so that it can keep them."""
        return ClientMetadata(
            assignment=self._assignment,
            url=str(self._url),
            changelog_distribution={},
            external_topic_distribution={},
            topic_groups={},
        )

    def _perform_assignment(self, cluster: Any, member_metadata: Any) -> Any:  # noqa: ARG002  the signature is Faust's
        clients = {member: self._get_client_metadata(sent) for member, sent in member_metadata.items()}
        self._update_member_urls(clients)
        topics = sorted({topic for sent in member_metadata.values() for topic in sent.subscription})
        owned = {
            member: {number for numbers in client.assignment.actives.values() for number in numbers}
            for member, client in clients.items()
        }
        assignments = {
            member: ClientAssignment(actives=dict.fromkeys(topics, numbers), standbys={})
            for member, numbers in balanced(owned, self.app.conf.topic_partitions).items()
        }
        distribution = self._get_changelog_distribution(assignments)
        return self._protocol_assignments(assignments, distribution, {}, dict.fromkeys(topics, 0))


def balanced(owned: Mapping[str, Collection[int]], partitions: int) -> dict[str, list[int]]:
    """Share the partitions among the members so that nobody has two more than another, and as few as possible move.

    ``owned``: what each member had before; of several that had the same partition, one keeps it.

    1. Those that have most get the shares that are larger by one, where the shares are not equal.
    2. Each member keeps what it had, up to its share.
    3. The others are given to those that have less than their share.
    """
    share, larger = divmod(partitions, len(owned))
    most_first = sorted(owned, key=lambda member: (-len(owned[member]), member))
    free = set(range(partitions))
    found: dict[str, list[int]] = {}
    for place, member in enumerate(most_first):
        found[member] = sorted(free.intersection(owned[member]))[: share + (place < larger)]
        free.difference_update(found[member])
    left = iter(sorted(free))
    for place, member in enumerate(most_first):
        wanted = share + (place < larger) - len(found[member])
        found[member] = sorted([*found[member], *islice(left, wanted)])
    return found
