"""The wheel whose hot path is machine code: built from this source, it must be the same program."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from shutil import copytree, ignore_patterns
from typing import TYPE_CHECKING

import pytest

from stream.compiled import OFF, unpack
from stream.deployments.snapshot import encode
from stream.language.policies import load
from stream.sla.events import Event
from stream.wire.effect import encode_event

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
MODULES = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"][
    "mypyc"
]["include"]
HOUR = 3_600_000_000

pytestmark = [pytest.mark.compiler, pytest.mark.xdist_group("compiled")]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the unpacked wheel and nothing else of the project."""
    folder = tmp_path_factory.mktemp("compiled")
    # Of a copy: while mypyc works, pyproject.toml is not where other tests look for it.
    copytree(ROOT / "stream", folder / "source/stream", ignore=ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        (folder / "source" / name).write_bytes((ROOT / name).read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(folder / "source")]
    done = subprocess.run(
        build, env={**os.environ, "HATCH_BUILD_HOOKS_ENABLE": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        content.extractall(folder / "site")
    return folder / "site"


def run(folder: Path, *arguments: str) -> str:
    """What Python printed, started in a folder, whose packages it then finds before all others."""
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def lives(tickets: int) -> Iterator[bytes]:
    """Opened, answered, asked back, answered by the customer, solved; some late, some never answered."""
    for number in range(tickets):
        fields = {"contract": "priority-support", "sender": "registered", "priority": f"p{1 + number % 4}"}
        fields["channel"] = ("ticket", "email", "chat", "phone")[number // 4 % 4]
        steps = [
            ("ticket.created", "customer", fields, False),
            ("comment.added", "agent", {}, True),
            ("ticket.changed", "agent", {"status": "pending"}, False),
            ("comment.added", "customer", {}, True),
            ("ticket.changed", "agent", {"status": "solved"}, False),
        ]
        for step, (type_, actor, changes, public) in enumerate(steps[: 2 + number % 4]):
            at = 1_763_000_000_000_000 + (number + step * (1 + number % 90)) * HOUR
            event = Event(at, f"{number}-{step}", type_, "desk", 0, actor, changes, public)  # type: ignore[arg-type]
            yield encode_event(f"T-{number}", event)


def test_every_module_of_the_hot_path_is_machine_code(compiled: Path) -> None:
    names = [module.removesuffix(".py").replace("/", ".") for module in MODULES]
    show = f"import importlib\nfor name in {names}: print(importlib.import_module(name).__file__)"
    files = run(compiled, "-c", show).split()

    assert len(files) == len(MODULES) > 15
    assert [file for file in files if not file.startswith(str(compiled)) or not file.endswith(".so")] == []


def test_a_checkout_uses_it_until_its_source_changes(compiled: Path, tmp_path: Path) -> None:
    copytree(ROOT / "stream", tmp_path / "stream", ignore=ignore_patterns("__pycache__"))
    unpack(next(compiled.parent.glob("*.whl")), ROOT, tmp_path)
    show = ("-c", f"import os; del os.environ['{OFF}']; from stream.compiled import hot_path; print(hot_path())")
    before = run(tmp_path, *show)
    with (tmp_path / "stream/sla/engine.py").open("a") as source:
        source.write("# edited\n")

    assert before == "compiled\n"
    assert run(tmp_path, *show) == "interpreted, because the source or the interpreter has changed since `make compile`\n"


def test_it_passes_the_tests_of_the_core_and_of_the_wire_and_every_story(compiled: Path) -> None:
    for name in ("tests", "schemas", "docs"):
        copytree(ROOT / name, compiled / name)
    for name in ("pyproject.toml", "README.md"):
        (compiled / name).write_bytes((ROOT / name).read_bytes())
    output = run(compiled, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit/sla", "tests/unit/wire", "tests/stories")

    assert int(output.rsplit(" passed", 1)[0].split()[-1]) > 500


def test_it_replays_a_feed_to_the_same_bytes(compiled: Path, tmp_path: Path) -> None:
    feed = tmp_path / "feed.jsonl"
    feed.write_bytes(b"\n".join(lives(400)) + b"\n")
    replay = ("-m", "stream", "replay", "--policies", "batoi", str(feed))
    output = run(compiled, *replay)

    assert output.count("\n") > 1_000
    assert output == run(ROOT, *replay)


def test_snapshots_are_the_same_to_the_byte_and_come_back(compiled: Path) -> None:
    # Compiled classes do not keep their annotations.
    names = ["batoi", "botpenguin", "baar", "starter"]
    show = (
        "from stream.deployments.snapshot import decode, encode\nfrom stream.language.policies import load\n"
        f"data = encode(load({names}))\nassert encode(decode(data)) == data\nprint(data.hex())"
    )

    assert bytes.fromhex(run(compiled, "-c", show)) == encode(load(names))
