"""The glossary and the code agree: the code has every name that the glossary gives, and none of the words that it replaced."""

from __future__ import annotations

import ast
import builtins
import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from stream.cli.main import COMMANDS
from stream.sla.events import ERASURE, EVENT_TYPES

ROOT = Path(__file__).parents[2]
GLOSSARY = (ROOT / "docs/concepts/glossary.md").read_text("utf-8")

RETIRED = {
    "absences": "suspensions",
    "absorb": "update fields",
    "aim": "target",
    "bench": "worker context",
    "book": "open commitment counts",
    "breath": "yield",
    "breathed": "resumed",
    "climb": "escalation state",
    "endings": "expirations",
    "fold": "transition",
    "heard": "consumed",
    "hear": "receive",
    "heed": "sensitivity",
    "laid": "applied, placement",
    "ledger": "output recovery",
    "mark": "threshold, provisional",
    "movement": "triggers",
    "pledge": "commitment state",
    "rung": "level",
    "rungs": "resolved ladder",
    "said": "emitted",
    "spread": "histogram series",
    "standings": "open commitments",
    "tally": "counts",
    "told": "emitted, notified",
    "vocabulary": "names, bounded label",
    "voice": "emitter",
    "workbench": "worker context",
}
"""Words that the code no longer uses, each with the term that replaced it."""
SUFFIXES: Final = "(?:e?s|e?d|ing)?"
"""Of the forms of a word."""
ALLOWED: Final = re.compile(
    r"pytestmark|(?:byte_order|quotation)_mark|(?:start|context|problem)_mark|MarkedYAMLError|_*(?:by_)?folded|casefold"
)
"""Other meanings, in names: punctuation, positions in YAML as its library calls them, and text in one case."""


class Code(NamedTuple):
    """What is defined and used in ``stream``. The trees are not kept: the garbage collector would visit them."""

    names: dict[Path, set[str]]
    """Every name that a module defines or uses."""
    members: defaultdict[str, set[str]]
    """Class to its fields, methods and the attributes that it sets on ``self``."""


@cache
def code() -> Code:
    found = Code({}, defaultdict(set))
    for path in sorted((ROOT / "stream").rglob("*.py")):
        names = found.names[path] = set()
        _read(ast.parse(path.read_text("utf-8")), [], names, found.members)
    return found


def _read(node: ast.AST, owners: list[str], names: set[str], members: defaultdict[str, set[str]]) -> None:
    """``owners``: the classes around the node."""
    for child in ast.iter_child_nodes(node):
        member = ""
        match child:
            case ast.ClassDef(name=name):
                names.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
                member = name
            case ast.Name(id=name, ctx=context):
                names.add(name)
                member = name if isinstance(context, ast.Store) else ""
            case ast.Attribute(attr="mark", value=ast.Name(id="pytest")):
                pass
            case ast.Attribute(attr=name, value=value, ctx=context):
                names.add(name)
                if isinstance(context, ast.Store) and isinstance(value, ast.Name) and value.id == "self":
                    member = name
            case ast.arg(arg=name):
                names.add(name)
        if member:
            for owner in owners:
                members[owner].add(member)
        _read(child, [*owners, child.name] if isinstance(child, ast.ClassDef) else owners, names, members)


def names_of_the_glossary() -> list[str]:
    """The names in backticks of the last column, in order."""
    rows = [line.rstrip(" |").rpartition(" | ")[2] for line in GLOSSARY.splitlines() if line.startswith("| ")]
    return [name for cell in rows for name in re.findall(r"`([^`]+)`", cell)]


@cache
def everywhere() -> set[str]:
    """All names, and those of the files."""
    return {name for found in code().names.values() for name in found} | {path.stem for path in code().names}


_LOWER, _TITLE, _UPPER = ("|".join(map(form, RETIRED)) for form in (str.lower, str.title, str.upper))
_RETIRED: Final = re.compile(
    f"(?<![a-z])(?<!pytest\\.)(?:{_LOWER}){SUFFIXES}(?![a-z])|(?:{_TITLE}){SUFFIXES}(?![a-z])|(?<![A-Z])(?:{_UPPER})"
)


@cache
def words() -> dict[str, set[tuple[str, str]]]:
    """Each word of a name to the files and names that have it: of the code, its tests and its benchmarks.

    Files without any of the retired words are left out: to parse them takes seconds.
    """
    found: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for path in (path for folder in ("stream", "tests", "benchmarks", "schemas") for path in (ROOT / folder).rglob("*.py")):
        text = path.read_text("utf-8")
        if not _RETIRED.search(f"{path.stem} {text}"):
            continue
        names: set[str] = {path.stem}
        _read(ast.parse(text), [], names, defaultdict(set))
        for name in names:
            for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", ALLOWED.sub("", name)):
                found[word.lower()].add((str(path.relative_to(ROOT)), name))
    return found


def test_every_row_of_the_glossary_names_something_in_the_code() -> None:
    rows = [line for line in GLOSSARY.splitlines() if line.startswith("| ") and not line.startswith("| term ")]

    assert len(rows) > 50
    assert [row for row in rows if not row.endswith("` |")] == []


def test_every_row_of_the_glossary_has_four_columns() -> None:
    rows = [line for line in GLOSSARY.splitlines() if line.startswith("|")]

    assert [row for row in rows if len(row.strip("|").split("|")) != 4] == []


@pytest.mark.parametrize("name", names_of_the_glossary())
def test_a_name_of_the_glossary_exists_in_the_code(name: str) -> None:
    owner, _, member = name.partition(".")
    if name in (*EVENT_TYPES, ERASURE):
        return
    if name.startswith("breachwatch "):
        assert name.removeprefix("breachwatch ") in COMMANDS
    elif member:
        assert member in code().members[owner]
    else:
        assert name in everywhere() or hasattr(builtins, name)


@pytest.mark.parametrize("word", RETIRED)
def test_no_name_has_a_word_that_another_term_replaced(word: str) -> None:
    found = {use for form, uses in words().items() if re.fullmatch(word + SUFFIXES, form) for use in uses}

    assert found == set(), f"the term is: {RETIRED[word]}"


def test_a_word_that_was_replaced_is_not_a_term_of_the_glossary() -> None:
    terms = {line.split("|")[1].strip() for line in GLOSSARY.splitlines() if line.startswith("| ")}

    assert terms & RETIRED.keys() == set()


_REPLACED_IN_TEXT: Final = re.compile(
    r"\b(?:said|says|unsaid|told|tells|hear|hears|heard|hearing|laid|heed\w*|climb\w*|pledg\w*|rungs?)\b"
    r"|\b(?:an?|the|its|their|this|each|every|whose|no) marks?\b"
)


def test_no_text_has_a_verb_of_speech_or_a_metaphor_for_what_a_program_does() -> None:
    """An engine emits an effect, a consumer reads it, and a person is notified; an escalation continues at its level."""
    own = Path(__file__).relative_to(ROOT)
    files = [
        path.relative_to(ROOT)
        for folder, kinds in (
            ("stream", ("py", "yaml")),
            ("tests", ("py", "yaml", "yml")),
            ("benchmarks", ("py",)),
            ("docs", ("md",)),
            ("prometheus", ("yml", "yaml")),
        )
        for kind in kinds
        for path in sorted((ROOT / folder).rglob(f"*.{kind}"))
    ]
    found = [
        f"{file}:{number}: {line.strip()}"
        for file in files
        if file != own
        for number, line in enumerate((ROOT / file).read_text("utf-8").splitlines(), start=1)
        if _REPLACED_IN_TEXT.search(line)
    ]

    assert found == []
