"""The demo ends by itself, shows exactly the effects of its feed, and leaves nothing behind in any case."""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from aiokafka.partitioner import DefaultPartitioner
from rich.console import Console

from stream.demo.command import write_policy
from stream.demo.feed import feed
from stream.demo.traffic import PARTITIONS
from stream.demo.view import View
from stream.language.policies import load
from stream.sla.engine import Engine
from stream.sla.playback import Playback
from stream.wire.decode import Rejected, decode
from stream.wire.incoming import Incoming

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stream.sla.effects import Effect

WHEN_AND_WHAT = re.compile(r"^\w{3} \d\d \w{3} \d\d:\d\d  (\S+)")


def expected_effects(folder: Path) -> Iterator[Effect]:
    """The effects of each partition's part of the feed: every partition has a time of its own."""
    policies = load([write_policy(folder)])
    numbers = list(range(PARTITIONS))
    partition_of = DefaultPartitioner()
    playbacks = [Playback(Engine(policies)) for _ in numbers]
    for record in feed(policies.calendars["batoi-office"]):
        decoded = decode(record.key, record.value, now=None)
        for number in numbers if record.everywhere else [partition_of(record.key, numbers, numbers)]:
            if isinstance(decoded, Incoming):
                yield from playbacks[number].event(decoded.ticket, decoded.event)
            elif not isinstance(decoded, Rejected):
                yield from playbacks[number].tick(decoded.at)


def lines_for(effects: Iterator[Effect]) -> list[str]:
    out = io.StringIO()
    with View(Console(file=out, width=150), "") as view:
        for effect in effects:
            view.effect(effect)
    return out.getvalue().splitlines()[1:]


@contextmanager
def demo_running(tmp_path: Path, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A demo with all its temporary files under ``tmp_path / "tmp"``."""
    (tmp_path / "tmp").mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BREACHWATCH_")}
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "stream", "demo", *arguments],
        env={**environment, "TMPDIR": str(tmp_path / "tmp"), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        yield running
        running.kill()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    with demo_running(tmp_path, "--seconds", "4") as running:
        yield running


def line_with(what: str, running: subprocess.Popen[str]) -> str:
    assert running.stdout is not None
    shown = []
    for line in running.stdout:
        shown.append(line)
        if what in line:
            return line
    raise AssertionError(f"the demo ended without a line with {what!r}:\n{''.join(shown)}{running.communicate()[1]}")


def left_behind(tmp_path: Path) -> list[str]:
    """Files of the demo, and processes with one of them in their arguments."""
    processes = subprocess.run(["ps", "-eo", "stat=,args="], capture_output=True, text=True, check=True).stdout.splitlines()
    files = [path.name for path in (tmp_path / "tmp").iterdir()]
    return files + [line for line in processes if str(tmp_path / "tmp") in line and not line.startswith("Z")]


def workers_of(parent: int) -> list[int]:
    processes = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = (line.split(None, 2) for line in processes.splitlines())
    return [int(pid) for pid, of, args in rows if int(of) == parent and args.endswith("-m stream worker")]


def test_it_shows_exactly_the_effects_of_the_feed(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    output, errors = demo.communicate(timeout=240)

    assert (demo.returncode, errors) == (0, "")
    shown = [line for line in output.splitlines() if WHEN_AND_WHAT.match(line)]
    effects = Counter(line for line in shown if "rejected " not in line)
    assert effects == Counter(lines_for(expected_effects(tmp_path)))
    assert len(shown) - effects.total() == 7, "one line for each invalid record"
    assert re.search(r"key_mismatch\W+1\b", output)
    assert "Breaches retracted because the answer was in time: 1" in output
    assert "Metrics while it runs: http://127.0.0.1:" in output
    assert left_behind(tmp_path) == []


def test_ctrl_c_ends_it_with_a_message_and_leaves_nothing(demo: subprocess.Popen[str], tmp_path: Path) -> None:
    line_with("escalated", demo)
    (worker,) = workers_of(demo.pid)

    demo.send_signal(signal.SIGINT)
    demo.send_signal(signal.SIGINT)
    output, errors = demo.communicate(timeout=120)

    assert (demo.returncode, errors) == (130, "")
    assert output.endswith("Stopped before the end. All its processes have ended and its files are deleted.\n")
    assert left_behind(tmp_path) == []
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_a_worker_that_dies_ends_the_demo_with_an_error_and_the_end_of_its_log(
    demo: subprocess.Popen[str], tmp_path: Path
) -> None:
    line_with("escalated", demo)
    (worker,) = workers_of(demo.pid)

    os.kill(worker, signal.SIGKILL)
    _, errors = demo.communicate(timeout=120)

    assert demo.returncode == 1
    assert "the worker ended by itself, with status -9" in errors
    assert "ready: demo, partitions 0, 1, 2, 3" in errors
    assert left_behind(tmp_path) == []


@pytest.mark.promtool
def test_with_its_stack_a_breach_becomes_an_alert_for_the_right_receiver(tmp_path: Path) -> None:
    with demo_running(tmp_path, "--stack", "--seconds", "6") as demo:
        output, errors = demo.communicate(timeout=300)

    assert (demo.returncode, errors) == (0, "")
    notifications = {tuple(re.split(" {2,}", line)) for line in output.splitlines() if line.startswith("to ")}
    resolved = "cluster=breachwatch commitment=chat_answer job=breachwatch policy=batoi-priority-support severity=critical"
    assert ("to on-call", "firing", "SLAErrorBudgetBurnFast", resolved, "Commitments are being breached fast.") in notifications
    ladder = "ladder=batoi-management level=executive policy=batoi-priority-support severity=warning"
    assert ("to support-manager", "firing", "SLAEscalationTopLevel", f"cluster=breachwatch job=breachwatch {ladder}") in {
        each[:4] for each in notifications
    }
    assert ("to dead-mans-switch", "firing", "SLAWatchdog") in {each[:3] for each in notifications}
    assert re.search(r"\d+ s after the first breach SLAErrorBudgetBurnFast arrived", output)
    assert left_behind(tmp_path) == []


def test_without_prometheus_its_stack_is_two_workers_and_a_hint_how_to_install_it(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for tool in ("rm", "sleep"):
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    with demo_running(tmp_path, "--stack", "--seconds", "2", PATH=str(tmp_path / "bin")) as demo:
        line_with("escalated", demo)
        workers = workers_of(demo.pid)
        output, errors = demo.communicate(timeout=240)

    assert (demo.returncode, errors) == (0, "")
    assert len(workers) == 2
    assert "All processes of the demo have ended" in output
    assert left_behind(tmp_path) == []
