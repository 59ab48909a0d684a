from collections.abc import Callable
from pathlib import Path

import pytest

from stream.documents.document import Document, Problem, Severity, read_document, written


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str | bytes], Document]:
    def of(text: str | bytes) -> Document:
        path = tmp_path / "p.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_document(path)

    return of


def problems(document: Document) -> list[tuple[int, str, str]]:
    return [(problem.line, problem.where, problem.message) for problem in document.problems]


def test_every_place_has_the_line_of_its_key_or_item(read: Callable[[str | bytes], Document]) -> None:
    document = read("a:\n  b: 1\n  c:\n    - x\n    -\n      d: 2\n")
    assert document.data == {"a": {"b": 1, "c": ["x", {"d": 2}]}}
    assert document.line(("a", "c")) == 3
    assert document.line(("a", "c", 0)) == 4
    assert document.line(("a", "c", 1, "d")) == 6


def test_a_missing_place_has_the_line_of_the_nearest_place_around_it(read: Callable[[str | bytes], Document]) -> None:
    document = read("a:\n  b: 1\nc:\n  d: 2\n")
    assert document.line(("c", "nowhere", 5)) == 3


def test_words_dates_and_unusual_numbers_stay_text(read: Callable[[str | bytes], Document]) -> None:
    document = read("on: [yes, off, 2026-01-01, 22:00, 007, 1.10, 0x1F, 1_000, +5, .5, 1e3]\n")
    assert document.data == {"on": ["yes", "off", "2026-01-01", "22:00", "007", "1.10", "0x1F", "1_000", "+5", ".5", "1e3"]}


def test_scalars_that_format_back_to_the_same_text_are_numbers(read: Callable[[str | bytes], Document]) -> None:
    document = read("[0, 5, -12, 0.95, 1.0, -0.5, true, False, ~, null]")
    assert document.data == [0, 5, -12, 0.95, 1.0, -0.5, True, False, None, None]


def test_quoted_scalars_are_text(read: Callable[[str | bytes], Document]) -> None:
    assert read("""["5", 'true', "null"]""").data == ["5", "true", "null"]


def test_keys_are_text_even_if_they_look_like_other_types(read: Callable[[str | bytes], Document]) -> None:
    assert read("{1: a, true: b, 2026-01-01: c}").data == {"1": "a", "true": "b", "2026-01-01": "c"}


def test_a_duplicate_key_is_a_problem_that_names_both_lines(read: Callable[[str | bytes], Document]) -> None:
    document = read("a:\n  b: 1\n  c: 2\n  b: 3\n")
    assert problems(document) == [(4, "a.b", "duplicate key, first in line 2")]
    assert document.data == {"a": {"b": 1, "c": 2}}


def test_a_syntax_error_is_a_problem_with_its_line(read: Callable[[str | bytes], Document]) -> None:
    ((line, where, message),) = problems(read("a: 1\nb: [1, 2\nc: 3\n"))
    assert (line, where) == (3, "")
    assert message.startswith("is not YAML: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"a: \x00", "is not YAML"),
        (b"a: 1\n---\nb: 2\n", "but found another document"),
        (b"a: !!python/object:os.system 1", "is not supported"),
        (b"a: !!int twelve", "is not supported"),
        (b"? [a, b]\n: 1", "a key must be a plain word"),
        (b"a: &x [*x]", "refers to a node that contains it"),
        (b"[" * 1000, "nested too deeply"),
        (b"a: *nowhere", "is not YAML"),
    ],
)
def test_an_invalid_document_is_one_problem_and_never_raises(
    read: Callable[[str | bytes], Document], content: str | bytes, message: str
) -> None:
    (problem,) = read(content).problems
    assert message in problem.message


def test_aliases_that_expand_too_far_are_a_problem(read: Callable[[str | bytes], Document]) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    assert "more than 100000 values" in read("\n".join(lines)).problems[0].message


def test_aliases_that_repeat_a_long_text_too_often_are_a_problem(read: Callable[[str | bytes], Document]) -> None:
    document = read(f'a: &a "{"x" * 100_000}"\nb: [{", ".join(["*a"] * 400)}]')

    assert "characters, aliases included" in document.problems[0].message


def test_an_alias_is_read_like_the_node_to_which_it_refers(read: Callable[[str | bytes], Document]) -> None:
    assert read("a: &t {p1: 1h}\nb: *t\n").data == {"a": {"p1": "1h"}, "b": {"p1": "1h"}}


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    (problem,) = read_document(tmp_path / "none.yaml").problems
    assert problem.message == "cannot be read: No such file or directory"
    (problem,) = read_document(tmp_path).problems
    assert problem.message == "cannot be read: Is a directory"


def test_a_problem_reads_as_file_line_place_message() -> None:
    problem = Problem("batoi.yaml", 14, written(("policies", 0, "commitments", 1, "target", "p1")), "no")
    assert str(problem) == "batoi.yaml:14: policies[0].commitments[1].target.p1: no"
    assert str(Problem("x", 1, "", "no", Severity.WARNING)) == "x:1: warning: no"


@pytest.mark.parametrize("content", [None, b"\xff", b"#" * ((16 << 20) + 1)], ids=["missing", "not UTF-8", "too large"])
def test_a_problem_of_a_file_that_cannot_be_read_has_no_line(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "desk.yaml"
    if content is not None:
        file.write_bytes(content)

    (problem,) = read_document(file).problems

    assert str(problem) == f"{file}: {problem.message}"
