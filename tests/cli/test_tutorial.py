"""The tutorial is run as a reader would: its files are saved and its commands typed, in order, in an empty folder."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs/start/first-policy.md"
FENCE = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPTED = re.compile(r"^\$ (.*\n(?:^> .*\n)*)((?:^(?!\$ ).*\n)*)", re.MULTILINE)
FENCES = FENCE.findall(PAGE.read_text("utf-8"))


def run(command: str, folder: Path) -> str:
    """What a shell prints, both streams together."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    typed = re.sub(r"^> ", "", command, flags=re.MULTILINE)
    done = subprocess.run(
        ["bash", "-c", typed],
        cwd=folder,
        env=os.environ | {"PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout


def test_every_command_of_the_tutorial_prints_what_the_page_shows(tmp_path: Path) -> None:
    checker, wrong, typed = doctest.OutputChecker(), [], 0
    for kind, file, text in FENCES:
        if file:
            (tmp_path / file).write_text(text, "utf-8")
            continue
        assert kind == "console"
        for command, shown in PROMPTED.findall(text):
            typed += 1
            printed = run(command, tmp_path)
            if not checker.check_output(shown, printed, doctest.ELLIPSIS):
                wrong.append(f"$ {command}shown:\n{shown}printed:\n{printed}")

    assert wrong == []
    assert typed > 10


def test_every_fence_of_the_tutorial_is_run() -> None:
    assert len(FENCES) == PAGE.read_text("utf-8").count("\n```") / 2
