"""The epoch of an owner of a partition: ``Changelog.begin``."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from stream.runtime.recovery.changelog import Changelog
from stream.runtime.recovery.checkpoint import Checkpoint
from tests.simulation.worker import empty_store


@pytest.mark.parametrize("generation", [0, -1])
def test_an_owner_without_a_generation_of_the_group_begins_no_epoch(generation: int) -> None:
    """Its epoch would not be above that of the owner before."""
    nobody: Any = None
    changelog = Changelog(nobody, "tickets", 0, nobody, empty_store("tickets"))

    with pytest.raises(ValueError, match=f"the generation {generation} of the consumer group is not one of a member"):
        asyncio.run(changelog.begin(generation, Checkpoint()))
