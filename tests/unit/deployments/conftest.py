from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.deployments.stepping import Stepping

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def step(tmp_path: Path) -> Stepping:
    return Stepping(tmp_path)
