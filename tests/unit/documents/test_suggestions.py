"""The suggestion for a misspelt word."""

from __future__ import annotations

import pytest

from stream.documents.readers import suggestion


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("new", ", did you mean `New`?"),
        ("Nwe", ", did you mean `New`?"),
        ("QUEUED", ", did you mean `Queued`?"),
        ("Qeued", ", did you mean `Queued`?"),
        ("Shipped", ""),
    ],
)
def test_letters_in_another_order_or_case_are_a_misspelling(word: str, meant: str) -> None:
    assert suggestion(word, ["New", "Queued", "Done"]) == meant
