"""What the answer of a group coordinator states about the permission to join the group."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    CoordinatorLoadInProgressError,
    GroupAuthorizationFailedError,
    GroupCoordinatorNotAvailableError,
    NotCoordinatorError,
)

from stream.runtime.kafka.denied import Operation
from stream.runtime.kafka.permissions import _may_join

READ = 1 << Operation.READ
NOTHING = 0


class Admin:
    """Answers as a coordinator does."""

    def __init__(self, code: int, granted: int) -> None:
        self.groups: list[tuple[Any, ...]] = [(code, "group", "", "", "", [], granted)]

    async def find_coordinator(self, group: str) -> int:
        return 0

    async def _send_request(self, *_: Any) -> Any:
        return SimpleNamespace(groups=self.groups)


def _may(code: int, granted: int) -> bool:
    return asyncio.run(_may_join(Admin(code, granted), "group"))


def test_an_account_may_join_with_the_permission_alone() -> None:
    assert _may(0, READ)
    assert not _may(0, NOTHING)
    assert not _may(GroupAuthorizationFailedError.errno, NOTHING)


@pytest.mark.parametrize("error", [CoordinatorLoadInProgressError, GroupCoordinatorNotAvailableError, NotCoordinatorError])
def test_a_coordinator_that_is_not_ready_refuses_nobody(error: type[Any]) -> None:
    """After a restart of the broker it loads the groups: its answer has no permissions then."""
    assert _may(error.errno, NOTHING)
