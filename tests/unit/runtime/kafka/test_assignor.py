"""Partitions are shared evenly, and none moves without need."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stream.runtime.kafka.assignor import balanced


def owners(assigned: dict[str, list[int]]) -> dict[int, str]:
    return {number: member for member, numbers in assigned.items() for number in numbers}


@given(
    st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.sets(st.integers(0, 45)), min_size=1, max_size=12),
    st.integers(1, 40),
)
def test_each_partition_has_one_owner_and_nobody_has_two_more_than_another(owned: dict[str, set[int]], partitions: int) -> None:
    assigned = balanced(owned, partitions)

    assert assigned.keys() == owned.keys()
    assert sorted(number for numbers in assigned.values() for number in numbers) == list(range(partitions))
    sizes = [len(numbers) for numbers in assigned.values()]
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(1, 40), st.integers(1, 90), st.data())
def test_only_what_has_to_move_does(members: int, partitions: int, data: st.DataObject) -> None:
    """When members leave and join: what the former had, and what the latter get to have their share."""
    before = balanced({f"m{number}": () for number in range(members)}, partitions)
    assert balanced(before, partitions) == before
    gone = data.draw(st.sets(st.sampled_from(sorted(before)), max_size=members - 1))
    new = data.draw(st.integers(0, 10))
    owned = {name: numbers for name, numbers in before.items() if name not in gone} | {
        f"n{number}": [] for number in range(new)
    }

    after = balanced(owned, partitions)

    share, larger = divmod(partitions, len(owned))
    sizes = sorted(map(len, owned.values()), reverse=True)
    could_stay = sum(min(size, share + (place < larger)) for place, size in enumerate(sizes))
    stayed = sum(owners(before)[number] == owner for number, owner in owners(after).items())
    assert stayed == could_stay


def test_a_member_without_a_share_is_a_spare_and_takes_the_place_of_one_that_leaves() -> None:
    three = balanced({"a": (), "b": (), "c": ()}, 2)
    assert three == {"a": [0], "b": [1], "c": []}
    assert balanced({"b": three["b"], "c": three["c"]}, 2) == {"b": [1], "c": [0]}


def test_of_two_that_claim_the_same_partitions_one_keeps_them() -> None:
    assert balanced({"a": {0, 1}, "b": {0, 1}}, 4) == {"a": [0, 1], "b": [2, 3]}
