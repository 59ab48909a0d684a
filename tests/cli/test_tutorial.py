"""Pages are followed as a reader would: their files are saved and their commands typed, in order, in an empty folder.

Every other block of commands in the README, the tutorials and the guides is an exception with its reason. The commands of all
pages, also those within sentences, have subcommands and options that exist.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from stream.cli.main import main

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPTED = re.compile(r"^\$ (.*\n(?:^> .*\n)*)((?:^(?!\$ ).*\n)*)", re.MULTILINE)
SHELLS = ("console", "sh", "bash")
FOLLOWED = ("README.md", "docs/start/first-policy.md", "docs/guides/compare-policies.md", "docs/guides/connect-a-helpdesk.md")
WALKED = [ROOT / "README.md", *sorted((ROOT / "docs/start").glob("*.md")), *sorted((ROOT / "docs/guides").glob("*.md"))]
PAGES = [*WALKED, *sorted((ROOT / "docs/concepts").glob("*.md")), *sorted((ROOT / "docs/feeds").glob("*.md"))]
PAGES += sorted((ROOT / "docs/reference").glob("*.md"))
PAGES += sorted((ROOT / "docs/runbooks").glob("*.md"))

NOT_TYPED = {
    "git clone <this repository> breachwatch && cd breachwatch": "the address is that of the reader's copy",
    "make demo": "the demo itself is tested on a broker",
    "make demo ARGS=--stack": "the demo itself is tested on a broker",
    "BREACHWATCH_CLOCK=event docker compose --profile feed up --build": "needs Docker",
    "breachwatch diff main/policies.yaml policies.yaml --old main/calendars.yaml --new calendars.yaml": "files of the reader",
    "git show origin/main:policies.yaml > /tmp/before.yaml": "the repository of the reader",
    "helm install sla deploy/helm/breachwatch": "needs a Kubernetes cluster",
    "breachwatch topics create": "needs a cluster, and a helpdesk that sends",
    "breachwatch topics create --broker kafka:9092 --partitions 12": "needs a cluster",
    "breachwatch topics create --broker kafka:9092": "needs a cluster and a helpdesk",
    "at=$(date -u +%Y-%m-%dT%H:%M:%SZ)": "needs a gateway that runs",
    "breachwatch erase acme-desk/4711 --dry-run": "needs a cluster with the ticket",
    "breachwatch feed retry desk --dry-run": "needs dead letters on a cluster",
    "breachwatch rejected list --since 1d": "needs dead letters on a cluster",
    "breachwatch watch --no-routine --zone Asia/Kolkata": "needs a cluster",
    "breachwatch import --mapping volvo.yaml incidents.csv.gz -o events.jsonl": "needs the export of a helpdesk",
    "export RT_TOKEN=1-14-abcdef": "needs a helpdesk",
    "breachwatch pull --feed desk=rt --url https://rt.example": "needs a helpdesk",
}
"""First command of a block to why nobody types it here; it may be cut."""


def fences(page: Path) -> list[tuple[str, str, str]]:
    return FENCE.findall(page.read_text("utf-8"))


def is_typed(kind: str, text: str) -> bool:
    return kind in SHELLS or (not kind and re.match(r"\$? ?(breachwatch|git|make|pip) ", text) is not None)


def run(command: str, folder: Path) -> tuple[int, str]:
    """The exit code, and what a shell prints, both streams together."""
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
    return done.returncode, done.stdout


@pytest.mark.parametrize("name", FOLLOWED)
def test_every_command_of_a_page_prints_what_the_page_shows(name: str, tmp_path: Path) -> None:
    checker, wrong, typed = doctest.OutputChecker(), [], 0
    for kind, info, text in fences(ROOT / name):
        if file := re.search(r"\bfile=(\S+)", info):
            (tmp_path / file[1]).write_text(text, "utf-8")
            continue
        if kind not in SHELLS or reason(text):
            continue
        for command, shown in PROMPTED.findall(text):
            typed += 1
            code, printed = run(command, tmp_path)
            # Where the page shows no output, the text below describes it.
            matches = checker.check_output(shown, printed, doctest.ELLIPSIS) if shown else code == 0
            if not matches:
                wrong.append(f"$ {command}shown:\n{shown}printed ({code}):\n{printed}")

    assert wrong == []
    assert typed


def reason(text: str) -> str:
    """Why a block of commands is not typed; empty if there is no reason."""
    first = text.removeprefix("$ ")
    return next((why for begin, why in NOT_TYPED.items() if re.match(re.escape(begin) + r"(\s|$)", first)), "")


@pytest.mark.parametrize("page", WALKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_of_commands_is_typed_or_has_a_reason_not_to_be(page: Path) -> None:
    blocks = [text for kind, _, text in fences(page) if is_typed(kind, text)]
    followed = str(page.relative_to(ROOT)) in FOLLOWED

    assert [text for text in blocks if not followed and not reason(text)] == []


def test_no_reason_is_left_over() -> None:
    blocks = "".join(text for page in WALKED for kind, _, text in fences(page) if is_typed(kind, text))

    assert [begin for begin in NOT_TYPED if begin not in blocks] == []


def commands(page: Path) -> list[str]:
    """Every command of this program that a page names, in blocks and within sentences."""
    text = re.sub(r"\\\n\s*", " ", page.read_text("utf-8"))
    lines = [line.removeprefix("$ ") for kind, _, block in fences(page) if kind in ("", *SHELLS) for line in block.splitlines()]
    lines += [line.strip() for line in text.splitlines() if line.startswith("    breachwatch ")]
    lines += re.findall(r"`(breachwatch [^`]+)`", FENCE.sub("", text))
    parts = [part.strip() for line in lines for part in re.split(r"\s#\s|[|;<>]|&&|\|\|", line)]
    return [part for part in parts if re.match(r"breachwatch [a-z-]", part)]


def unknown(command: str) -> str:
    """What of a command does not exist; empty if all of it does."""
    found: click.Command = main
    options = {name for option in main.params for name in (*option.opts, *option.secondary_opts)} | {"-h", "--help"}
    words = shlex.split(command.replace("'", "").replace('"', ""))[1:]
    context = click.Context(main)
    for word in words:
        name = word.partition("=")[0]
        if isinstance(found, click.Group) and re.fullmatch(r"[a-z][a-z-]*", word):
            sub = found.get_command(context, word)
            if sub is None:
                return word
            found = sub
            options |= {name for option in found.params for name in (*option.opts, *option.secondary_opts)}
        elif re.fullmatch(r"--[a-z][a-z-]*", name) and name not in options:
            return name
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_has_subcommands_and_options_that_exist(page: Path) -> None:
    assert {command: unknown(command) for command in commands(page) if unknown(command)} == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_command_of_a_page_takes_a_folder_for_a_policy_file(page: Path) -> None:
    others = [command for command in commands(page) if not command.startswith("breachwatch test ")]

    assert [command for command in others if re.search(r"--policies[ =]\S+/(\s|$)", command)] == []


def test_the_commands_of_pages_are_found_and_their_mistakes_too() -> None:
    assert sum(len(commands(page)) for page in PAGES) > 100
    assert unknown("breachwatch worker --policys x") == "--policys"
    assert unknown("breachwatch topics crate") == "crate"
    assert unknown("breachwatch topics create --broker kafka:9092") == ""
