"""The pages of ``docs/``: generated ones are current, links lead somewhere, and the index names every page."""

from __future__ import annotations

import ast
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from aiokafka import errors as kafka_errors

from stream.runtime.settings import ENTRIES, flag, variable
from stream.sla.effects import Kind
from stream.sla.events import ERASURE, EVENT_TYPES
from stream.wire.output_structs import WireEffect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.rglob("*.md")])
LINK = re.compile(r"\]\((?!https?:)([^)\s#]*)(?:#([^)\s]+))?\)")


def load_build() -> ModuleType:
    spec = spec_from_file_location("docs_build", DOCS / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BUILD = load_build()


def without_code(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", without_code(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[tuple[Path, str]]:
    """Target file and anchor of every relative link of a page."""
    return [((page.parent / file).resolve() if file else page, anchor) for file, anchor in LINK.findall(without_code(page))]


@pytest.mark.parametrize("page", BUILD.texts(), ids=lambda page: page.name)
def test_a_generated_page_is_current(page: Path) -> None:
    assert page.read_text("utf-8") == BUILD.texts()[page], "run python docs/build.py"


def test_the_page_of_settings_has_every_setting_with_its_flag_variable_default_and_meaning() -> None:
    page = (DOCS / "reference/settings.md").read_text("utf-8")

    for name, entry in ENTRIES.items():
        default = "required" if entry.default is None else f"`{entry.default}`" if entry.default else "none"
        assert f"| `{name}` | `{flag(name)}` | `{variable(name)}` | {default} | " in page
        assert f" | {entry.help} |" in page


def test_the_page_of_settings_has_the_bounds_that_a_worker_enforces() -> None:
    page = (DOCS / "reference/settings.md").read_text("utf-8")

    assert "| `grace` | `--grace` | `BREACHWATCH_GRACE` | `200ms` | 0s to 1m | " in page
    assert "| `partitions` | `--partitions` | `BREACHWATCH_PARTITIONS` | `4` | 1 to 4096 | " in page
    assert "| `token` | `--token` | `BREACHWATCH_TOKEN` | none | none, or at least 16 ASCII" in page
    assert "| `tls` | `--tls` | `BREACHWATCH_TLS` | `no` | `yes` or `no` | " in page
    assert "| `every` | `--every` | `BREACHWATCH_PULL_EVERY` | `60s` | 1s to 1h | " in page


@pytest.mark.parametrize(
    "row",
    [
        "| `--late / --no-late` |  | Show only effects that correct the past, or leave them out. |",
        "| `--clock [wall\\|event]` | `wall` | Setting 'clock' of the workers. |",
        "| `--seconds FLOAT RANGE` | `40` | How long the feed takes. [1 to 600] |",
        "| `--limit INTEGER RANGE` | `20` | Number of dead letters to list. [at least 0] |",
    ],
)
def test_the_page_of_commands_has_every_name_value_and_bound_of_an_option(row: str) -> None:
    assert row in (DOCS / "reference/cli.md").read_text("utf-8").splitlines()


@pytest.mark.parametrize("name", [*Kind, *EVENT_TYPES, ERASURE, *WireEffect.__struct_fields__])
def test_the_page_of_events_has_a_row_for_every_event_type_effect_type_and_key_of_an_effect(name: str) -> None:
    page = (DOCS / "reference/events.md").read_text("utf-8")
    named = {name for cell in re.findall(r"^\| (`.+?) \|", page, re.MULTILINE) for name in re.findall(r"`([^`]+)`", cell)}

    assert name in named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = [
        f"{file}#{anchor}" for file, anchor in links(page) if not file.exists() or (anchor and anchor not in anchors(file))
    ]

    assert broken == []


def test_the_page_of_deployments_shows_every_story_of_deployments_once() -> None:
    stories = [story["story"] for story in yaml.safe_load(BUILD.STORIES.read_text("utf-8"))]
    shown = re.findall(r"^\*\*(.+)\.\*\*$", BUILD.DEPLOYMENTS.read_text("utf-8"), re.MULTILINE)

    assert sorted(shown) == sorted(stories)


def test_the_policy_on_the_page_of_deployments_is_that_of_the_stories() -> None:
    page = BUILD.DEPLOYMENTS.read_text("utf-8").partition("```yaml policy\n")[2].partition("```")[0]
    desk = (ROOT / "tests/stories/policies/desk.yaml").read_text("utf-8")

    assert page == desk.partition("\n")[2]


def test_the_index_names_every_page() -> None:
    named = {file for file, _ in links(DOCS / "README.md")}
    listed_as_folders = (DOCS / "runbooks", DOCS / "internals/adr", DOCS / "feeds")

    missing = [
        str(page.relative_to(ROOT))
        for page in DOCS.rglob("*.md")
        if page not in named and page.parent not in listed_as_folders and page != DOCS / "README.md"
    ]
    assert missing == []
    assert set(listed_as_folders) - {DOCS / "feeds"} <= named


def test_the_list_of_feeds_names_every_page_of_a_helpdesk() -> None:
    named = {file for file, _ in links(DOCS / "feeds/README.md")}

    assert {page for page in (DOCS / "feeds").glob("*.md") if page.name != "README.md"} <= named


def test_the_messages_that_are_explained_are_those_of_the_program() -> None:
    page = (DOCS / "reference/messages.md").read_text("utf-8").partition("## Messages")[2]
    source = " ".join(" ".join(file.read_text("utf-8").split()) for file in (ROOT / "stream").rglob("*.py"))
    source = re.sub(r'" f?"', "", source)

    unknown = [
        fragment
        for cell in re.findall(r"^\| (.+?) \|", page, re.MULTILINE)
        for message in re.findall(r"`(.+?)`", cell)
        for fragment in re.split(r" ?\.\.\. ?| \bN\b ?| \d+ |, (?:not)?", message)
        if fragment and fragment not in source and not hasattr(kafka_errors, fragment)
    ]
    assert unknown == []


def _logged_problems(file: Path) -> Iterator[str]:
    """The texts of the warnings and errors that a file logs, without those that are made elsewhere."""
    nodes = list(ast.walk(ast.parse(file.read_text("utf-8"))))
    named = {ast.unparse(node.targets[0]): node.value for node in nodes if isinstance(node, ast.Assign)}
    named |= {ast.unparse(node.target): node.value for node in nodes if isinstance(node, ast.AnnAssign) and node.value}
    for call in nodes:
        if (
            isinstance(call, ast.Call)
            and call.args
            and re.fullmatch(r"_?log\.(warning|error|exception)", ast.unparse(call.func))
        ):
            text = named.get(ast.unparse(call.args[0]), call.args[0])
            words = text.value if isinstance(text, ast.Constant) else None
            if isinstance(words, str) and len(re.findall(r"\b(?<!%)[A-Za-z]{2,}", words)) > 1:
                yield words


def test_every_warning_and_error_of_the_program_is_explained() -> None:
    page = (DOCS / "reference/messages.md").read_text("utf-8").partition("## Messages")[2]
    quoted = {
        max(re.split(r"\.\.\.|\bN\b", message), key=len).strip()
        for cell in re.findall(r"^\| (.+?) \|", page, re.MULTILINE)
        for message in re.findall(r"`(.+?)`", cell)
    }

    missing = [
        f"{file.relative_to(ROOT)}: {text}"
        for file in sorted((ROOT / "stream").rglob("*.py"))
        for text in _logged_problems(file)
        if not any(fragment in text for fragment in quoted)
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    paths = re.findall(r"`((?:stream|tests|schemas|benchmarks|prometheus|grafana|docs)/[\w./-]*)`", page.read_text("utf-8"))

    assert [path for path in paths if not (ROOT / path).exists()] == []
