"""Completion of a value in a shell: names that ship with breachwatch, besides files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stream.runtime.settings import Entry

    Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

_PLAIN: Final = re.compile(r"[\w@%+=:,./-]+")
"""File names that the shell takes as they are. It inserts what is offered without quotes, and would run `$(command).yaml`."""
TOPICS: Final = ("exit-codes",)
"""Pages of ``breachwatch help`` that are not commands."""


def policies(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of shipped policies, and YAML files."""
    from stream.language.policies import shipped_names

    return _names_or_files(incomplete, shipped_names())


def policy_names(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of shipped policies."""
    from stream.language.policies import shipped_names

    return _matching(incomplete, shipped_names())


def mappings(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of shipped mappings of feeds, and YAML files."""
    from stream.feeds.mapping import shipped

    return _names_or_files(incomplete, shipped())


def mapping_names(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of shipped mappings of feeds."""
    from stream.feeds.mapping import shipped

    return _matching(incomplete, shipped())


def feed_pairs(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """``NAME=MAPPING``, with the names of shipped mappings."""
    from stream.feeds.mapping import shipped

    name, separator, mapping = incomplete.partition("=")
    found = _matching(mapping if separator else name, shipped())
    return [CompletionItem(f"{name if separator else item.value}={item.value}") for item in found]


def zones(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """IANA time zones."""
    from stream.language.zones import zone_names

    return _matching(incomplete, sorted(zone_names()))


def of_setting(entry: Entry) -> Complete | None:
    """The values of a setting that has a list of them; ``None``: files, as the shell completes them."""
    if not entry.choices:
        return None
    return lambda _context, _parameter, incomplete: _matching(incomplete, entry.choices)


def command_names(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Commands and topics of help; after a command, its subcommands."""
    root = context.find_root()
    group: click.Command = root.command
    words: tuple[str, ...] = context.params.get("words") or ()
    for word in words:
        found = group.get_command(root, word) if isinstance(group, click.Group) else None
        if found is None:
            return []
        group = found
    names = group.list_commands(root) if isinstance(group, click.Group) else []
    return _matching(incomplete, names if words else [*names, *TOPICS])


def _matching(incomplete: str, names: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _names_or_files(incomplete: str, names: Iterable[str]) -> list[CompletionItem]:
    """Names and YAML files; if there are none, whatever files the shell finds."""
    folder = Path(incomplete).parent if "/" in incomplete else Path()
    prefix = incomplete.rpartition("/")[0] + "/" if "/" in incomplete else ""
    there = folder.iterdir() if folder.is_dir() else ()
    files = sorted(prefix + each.name for each in there if each.suffix in (".yaml", ".yml"))
    return _matching(incomplete, [*names, *filter(_PLAIN.fullmatch, files)]) or [CompletionItem(incomplete, type="file")]
