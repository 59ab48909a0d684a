"""The broker of a test, as in ``tests/broker``. Tests of real helpdesks are dear: those of a module share one desk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.broker.conftest import broker, embedded_broker, topics

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.desks.helpdesk import Helpdesk

__all__ = ["broker", "embedded_broker", "topics"]


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.broker)
    item.add_marker(pytest.mark.xdist_group("desks"))


@pytest.fixture(scope="session")
def helpdesk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Helpdesk]:
    """A django-helpdesk that runs."""
    from tests.desks.helpdesk import Helpdesk

    folder: Path = tmp_path_factory.mktemp("django-helpdesk")
    with Helpdesk(folder) as running:
        yield running
