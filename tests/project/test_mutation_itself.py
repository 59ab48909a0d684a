"""The mutants that ``tests/mutation.py`` plants."""

from __future__ import annotations

import pytest

from tests.mutation import mutants


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("return a < b", ["return a <= b"]),
        ("return a and (not b)", ["return a or not b", "return a and +bool(b)"]),
        ("return a + 1", ["return a - 1", "return a + 2"]),
        ("return f(True)", ["return f(False)"]),
        ("return 'a' + b", []),
    ],
)
def test_a_mutant_has_one_error(line: str, expected: list[str]) -> None:
    assert mutants(f"def f(a, b):\n    {line}") == [f"def f(a, b):\n    {one}" for one in expected]
