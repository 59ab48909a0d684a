"""Which tickets move when the input has got more partitions."""

from __future__ import annotations

import pytest

from stream.runtime.recovery.checkpoint import Checkpoint, Gap
from stream.runtime.recovery.cluster import StoredPartition
from stream.runtime.recovery.moves import RepartitionError, checkpoints, home, moves

KEYS = [f"shop/{number}".encode() for number in range(40)]


def divided(partitions: int) -> dict[int, StoredPartition]:
    found = {number: StoredPartition() for number in range(partitions)}
    for key in KEYS:
        found[home(key, partitions)].tickets[key] = b"state of " + key
    return found


def test_keys_have_the_partitions_that_kafkas_java_client_gives_them() -> None:
    # Examples of Kafka's own UtilsTest: murmur2 of these is -973932308, -790332482 and 985981536.
    assert [home(key, 2**31) for key in (b"21", b"foobar", b"a-little-bit-long-string")] == [
        -973932308 & 0x7FFFFFFF,
        -790332482 & 0x7FFFFFFF,
        -985981536 & 0x7FFFFFFF,
    ]


@pytest.mark.parametrize(("before", "after"), [(1, 3), (2, 3), (4, 8), (4, 6)])
def test_exactly_the_tickets_whose_key_has_another_partition_move(before: int, after: int) -> None:
    plan = moves(divided(before), before, after)

    assert plan.tickets == len(KEYS)
    assert plan.moved == {key: (home(key, before), home(key, after)) for key in KEYS if home(key, before) != home(key, after)}
    assert not plan.split


def test_a_ticket_that_was_met_without_its_state_is_split_and_one_that_was_copied_is_not() -> None:
    found = divided(2)
    first, second, *_ = (key for key in KEYS if home(key, 2) != home(key, 3) and home(key, 3) < 2)
    found[home(first, 3)].tickets[first] = b"without its state"
    found[home(second, 3)].tickets[second] = b"state of " + second

    plan = moves(found, 2, 3)

    assert plan.split == {first: home(first, 3)}
    assert {first, second} <= plan.moved.keys()


def test_a_ticket_of_after_the_change_stays_where_it_is() -> None:
    found = divided(2)
    key = next(key for key in KEYS if home(key, 2) != home(key, 3) and home(key, 3) < 2)
    found[home(key, 3)].tickets[key] = found[home(key, 2)].tickets.pop(key)

    assert key not in moves(found, 2, 3).moved


def test_a_publisher_with_a_rule_of_its_own_refuses_the_move() -> None:
    found = divided(4)
    key = KEYS[0]
    elsewhere = next(number for number in range(4) if number not in (home(key, 4), home(key, 8)))
    found[elsewhere].tickets[key] = found[home(key, 4)].tickets.pop(key)

    with pytest.raises(RepartitionError, match="1 ticket, such as 'shop/0', not in the partition of the key"):
        moves(found, 4, 8)


def test_a_new_partition_of_the_input_is_read_from_its_beginning() -> None:
    found = {0: Checkpoint(input=30), 1: Checkpoint(input=50), 2: Checkpoint()}

    moving = checkpoints(found, 2, 4)

    assert [moving[number].input for number in range(4)] == [30, 50, 0, 0]
    assert not moving[2].shortened(7, 0).gaps


def test_a_partition_that_was_never_taken_over_has_read_nothing() -> None:
    assert checkpoints({0: Checkpoint(input=30), 1: None}, 2, 3)[1].input is None


def test_a_ticket_keeps_its_doubts_in_its_new_partition() -> None:
    first, second = Gap(3, 5, 100, 900), Gap(8, 9, 200, 950)
    found = {0: Checkpoint(deployed=1, gaps=(second,)), 1: Checkpoint(deployed=4, gaps=(first,)), 2: None}

    moving = checkpoints(found, 2, 3)

    assert all(each.gaps == (first, second) for each in moving.values())
    again = checkpoints(moving, 2, 3)
    assert again == moving  # after a crash in between


def test_a_ticket_that_was_not_swept_yet_is_swept_in_its_new_partition() -> None:
    found = {0: Checkpoint(swept=2, deployed=4, appended=7), 1: Checkpoint(swept=4, deployed=4, appended=7)}

    moving = checkpoints(found, 2, 3)

    assert {(each.swept, each.deployed, each.appended) for each in moving.values()} == {(2, 4, 7)}
    assert {(each.partitions, each.moving_to) for each in moving.values()} == {(2, 3)}
