"""Secrets that settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stream.runtime.secret_values import SecretError, checked, secret

if TYPE_CHECKING:
    from pathlib import Path


def test_a_secret_is_read_from_a_variable_or_from_a_file_without_its_last_newline(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(b" in a file \n")

    assert secret("env:DESK", {"DESK": "in a variable"}) == b"in a variable"
    assert secret(f"file:{file}", {}) == b" in a file "


@pytest.mark.parametrize("reference", ["hunter2hunter2", "vault:desk", "envelope:x"])
def test_a_secret_given_as_itself_is_refused_and_not_shown(reference: str) -> None:
    with pytest.raises(SecretError) as refused:
        checked(reference)

    assert "env:NAME" in str(refused.value)
    assert reference not in str(refused.value)


@pytest.mark.parametrize(
    ("reference", "problem"),
    [("env:NONE", "the variable NONE is not set"), ("env:EMPTY", "is empty"), ("file:/none", "cannot be read")],
)
def test_a_secret_that_cannot_be_had_is_named_by_its_reference(reference: str, problem: str) -> None:
    with pytest.raises(SecretError, match=f"^{reference}: .*{problem}"):
        secret(reference, {"EMPTY": ""})


@pytest.mark.parametrize("reference", ["env:", "file:", "", ":x"])
def test_a_reference_to_nothing_is_refused(reference: str) -> None:
    with pytest.raises(SecretError, match="env:NAME"):
        secret(reference, {"": "x"})
