"""Files of lines, read line by line and in blocks."""

from __future__ import annotations

import codecs
import gzip
from random import Random
from typing import TYPE_CHECKING

import pytest

from stream.wire import lines as module
from stream.wire.lines import Block, key_of, only_ticket, open_lines

if TYPE_CHECKING:
    from pathlib import Path

BLOCK = 64
LONGEST = 100


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", BLOCK)
    monkeypatch.setattr(module, "MAX_LINE", LONGEST)


def one_by_one(path: Path) -> list[tuple[int, bytes]]:
    with open_lines(path) as found:
        return list(found)


def in_blocks(path: Path) -> list[Block]:
    with open_lines(path) as found:
        return list(found.blocks())


def lines_of(blocks: list[Block]) -> list[tuple[int, bytes]]:
    """The lines that are not blank, as the reader of a block takes them."""
    return [
        (number, line.rstrip(b"\r"))
        for block in blocks
        for number, line in enumerate(block.content.split(b"\n"), start=block.first)
        if line.strip()
    ]


@pytest.mark.parametrize("seed", range(200))
def test_blocks_have_the_same_lines_with_the_same_numbers(seed: int, tmp_path: Path) -> None:
    dice = Random(seed)
    lengths = (0, 0, 1, 3, BLOCK - 1, BLOCK, BLOCK + 1, LONGEST - 1, LONGEST, LONGEST + 1, LONGEST + BLOCK, 3 * LONGEST)
    content = codecs.BOM_UTF8 if dice.random() < 0.3 else b""
    for _ in range(dice.randrange(12)):
        content += bytes(dice.choices(b"ab\r \x0b", k=dice.choice(lengths))) + dice.choice((b"\n", b"\r\n", b"\n\n"))
    path = tmp_path / "feed.jsonl"
    path.write_bytes(content.removesuffix(b"\n") if dice.random() < 0.5 else content)
    (tmp_path / "feed.gz").write_bytes(gzip.compress(path.read_bytes()))

    blocks = in_blocks(path)

    assert lines_of(blocks) == one_by_one(path)
    assert in_blocks(tmp_path / "feed.gz") == blocks
    assert all(len(block.content) <= BLOCK + LONGEST + 1 for block in blocks)


def test_a_block_ends_with_the_line_that_is_under_way(tmp_path: Path) -> None:
    path = tmp_path / "feed.jsonl"
    path.write_bytes(b"a" * 40 + b"\n" + b"b" * 40 + b"\n" + b"c\n")

    assert in_blocks(path) == [Block(1, b"a" * 40 + b"\n" + b"b" * 40 + b"\n"), Block(3, b"c\n")]


@pytest.mark.parametrize(
    ("content", "last"), [(b"a\nb\n", 8), (b"a\nb", 8), (b"a\n\n \r\n", 7), (b"\n\na", 9), (b"", 6), (b"\n \n", 6)]
)
def test_the_last_line_of_a_block_is_not_blank(content: bytes, last: int) -> None:
    assert Block(7, content).last == last


@pytest.mark.parametrize(
    ("line", "ticket"),
    [
        (b'{"type":"ticket.created","ticket":"desk/1"}', b"desk/1"),
        (b'{ "ticket" :\t"desk\\/1", "text": "\\"ticket\\":\\"no\\"", "fields": {"ticket": "other"} }', b"desk/1"),
        (b'{"tick\\u0065t":"\\u00fc"}', "ü".encode()),
        (b'{"ticket":"first","ticket":"last"}', b"last"),
        (b'{"ticket":"desk/1","type":"unknown"}', b"desk/1"),
        (b'{"type":"feed.tick","source":"desk","ticket":"desk/1"}', b""),
        (b'{"t\\u0079pe":"feed\\u002etick","ticket":"desk/1"}', b""),
        (b'{"ticket":7}', b""),
        (b'{"ticket":"desk/1","type":7}', b""),
        (b'{"ticket":"\\ud800"}', b""),
        (b"[" * 5_000, b""),
        (b"not JSON", b""),
        (b"", b""),
    ],
)
def test_a_line_names_the_only_ticket_that_it_can_affect(line: bytes, ticket: bytes) -> None:
    assert only_ticket(line) == ticket
    assert ticket in (b"", key_of(line))
