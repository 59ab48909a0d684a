"""The groups of tests: those of one group run in one process, so that a dear fixture is made once and heavy tests follow
each other."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_TESTS = """
import time

import pytest

@pytest.mark.xdist_group("one")
@pytest.mark.parametrize("number", range(6))
def test_of_a_group(number):
    time.sleep(0.1)
"""


def test_the_tests_of_a_group_run_in_one_process(tmp_path: Path) -> None:
    (tmp_path / "test_grouped.py").write_text(_TESTS, "utf-8")
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadgroup", "-v", "-p", "xdist", "-p", "no:cacheprovider"]
    (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")

    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # other plugins take a second to start

    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout + run.stderr
    ran = [line.partition("]")[0] for line in run.stdout.splitlines() if "PASSED" in line]
    assert len(ran) == 6
    assert len(set(ran)) == 1, run.stdout
