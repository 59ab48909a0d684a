"""Every benchmark that needs no broker runs, at a size at which its figures mean nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "benchmarks"
sys.path.append(str(FOLDER))

from figures import COLLECT  # noqa: E402  the path to it stands above

_spec = spec_from_file_location("benchmarks_run", FOLDER / "run.py")  # another folder that is searched has a module `run`, too
assert _spec is not None
assert _spec.loader is not None
_run = module_from_spec(_spec)
_spec.loader.exec_module(_run)
SCRIPTS: dict[str, tuple[str, str]] = _run.SCRIPTS
SMALLEST: dict[str, str] = _run.SMALLEST

WITHOUT_ROWS = {"decode", "unit_of_work", "pages"}
"""They print tables of their own."""


@pytest.mark.parametrize("name", SMALLEST)
def test_a_benchmark_ends_well_prints_figures_and_warns_of_nothing(name: str, tmp_path: Path) -> None:
    collected = tmp_path / "figures.jsonl"
    collected.touch()
    environment = os.environ | {"PYTHONPATH": str(ROOT), COLLECT: str(collected)}
    command = [sys.executable, str(FOLDER / f"{name}.py"), *SMALLEST[name].split()]

    run = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (run.returncode, run.stderr) == (0, ""), run.stdout
    assert re.search(r"\d", run.stdout)
    rows = [json.loads(line) for line in collected.read_text("utf-8").splitlines()]
    assert bool(rows) == (name not in WITHOUT_ROWS)
    assert [row["what"] for row in rows if f"{row['what']}: " not in run.stdout] == []


def test_a_benchmark_that_starts_no_broker_has_a_smallest_size() -> None:
    starts_none = {name for name in SCRIPTS if "stream.devkafka" not in (FOLDER / f"{name}.py").read_text("utf-8")}

    assert starts_none == SMALLEST.keys()
