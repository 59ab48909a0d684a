"""Which dead letters a worker, and the one after it, must know of, because their records may come again."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from stream.runtime.recovery.outputs import Outputs

if TYPE_CHECKING:
    from stream.runtime.kafka.clients import TransactionalProducer

TOPIC = "ticket-events-rejected"


@pytest.fixture
def outputs() -> Outputs:
    """Of a partition in which nothing is left to recover, and one dead letter was written: of the record at offset 7."""
    made = Outputs(cast("TransactionalProducer", None), 1, TOPIC)
    made.found(TOPIC, 0, 1)
    made.found_dead_letter(b"7@1000")
    made.end_recovery()
    return made


def test_a_dead_letter_is_known_until_its_record_is_committed(outputs: Outputs) -> None:
    outputs.finished(8, live=True)

    assert outputs.unknown_from(committed=7) == {TOPIC: 0}
    assert outputs.emitted_ids == {b"7@1000"}
    assert outputs.unknown_from(committed=8) == {TOPIC: 1}
    assert outputs.emitted_ids == set()


def test_a_dead_letter_behind_the_end_of_a_batch_stays_known_when_that_batch_is_committed(outputs: Outputs) -> None:
    outputs.finished(7, live=True)

    assert outputs.unknown_from(committed=7) == {TOPIC: 0}
    assert outputs.emitted_ids == {b"7@1000"}

    outputs.finished(9, live=True)

    assert outputs.unknown_from(committed=8) == {TOPIC: 0}
    assert outputs.emitted_ids == {b"7@1000"}
    assert outputs.unknown_from(committed=9) == {TOPIC: 1}
    assert outputs.emitted_ids == set()
