"""Machine code beside a checkout is used for exactly the source of which it was built."""

from __future__ import annotations

import os
import sys
import sysconfig
import zipfile
from typing import TYPE_CHECKING

import pytest

from stream.compiled import FOLDER, OFF, Finder, _system, key, unpack, use

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(OFF)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    (tmp_path / "stream/sla").mkdir(parents=True)
    (tmp_path / "stream/sla/engine.py").write_text("ANSWER = 1\n", "utf-8")
    return tmp_path


def built(checkout: Path) -> Path:
    """The machine code of a checkout, as ``make compile`` leaves it."""
    wheel = checkout / "some.whl"
    with zipfile.ZipFile(wheel, "w") as content:
        for name in (f"stream/sla/engine{SUFFIX}", f"shared__mypyc{SUFFIX}", "stream/sla/engine.py"):
            content.writestr(name, b"")
    return unpack(wheel, checkout, checkout)


def finders() -> list[Finder]:
    return [finder for finder in sys.meta_path if isinstance(finder, Finder)]


def found(name: str) -> str | None:
    """The file from which an import would come."""
    (finder,) = finders()
    spec = finder.find_spec(name, None)
    return None if spec is None else spec.origin


def test_without_machine_code_imports_are_left_alone(checkout: Path) -> None:
    use(checkout)

    assert finders() == []


def test_machine_code_of_this_source_is_found_and_nothing_else(checkout: Path) -> None:
    folder = built(checkout)

    use(checkout)

    assert found("stream.sla.engine") == str(folder / f"stream/sla/engine{SUFFIX}")
    assert found("shared__mypyc") == str(folder / f"shared__mypyc{SUFFIX}")
    assert found("stream.sla.other") is None


def test_the_lock_of_an_editor_and_a_folder_are_no_source(checkout: Path) -> None:
    built(checkout)
    (checkout / "stream/sla/.#engine.py").symlink_to("somebody@somewhere.1234")
    (checkout / "stream/sla/folder.py").mkdir()

    use(checkout)

    assert len(finders()) == 1


@pytest.mark.parametrize("change", ["an edit", "a new file", "a renamed file"])
def test_machine_code_of_another_source_is_not_used(checkout: Path, change: str) -> None:
    built(checkout)
    source = checkout / "stream/sla/engine.py"
    if change == "an edit":
        source.write_text("ANSWER = 2\n", "utf-8")
    elif change == "a new file":
        (checkout / "stream/sla/more.py").write_text("", "utf-8")
    else:
        source.rename(checkout / "stream/sla/motor.py")

    use(checkout)

    assert finders() == []


def test_machine_code_of_another_interpreter_is_not_used(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built(checkout)
    monkeypatch.setattr("stream.compiled._SUFFIX", ".cpython-399-x86_64-linux-gnu.so")

    use(checkout)

    assert finders() == []


@pytest.mark.parametrize("system", ["aarch64 glibc 2.36", "x86_64 glibc 2.31"])
def test_machine_code_of_another_system_is_not_used(checkout: Path, monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    built(checkout)
    monkeypatch.setattr("stream.compiled._system", lambda: system)

    use(checkout)

    assert finders() == []


def test_the_system_names_processor_and_c_library() -> None:
    assert os.uname().machine in _system()
    if sys.platform == "linux" and "gnu" in SUFFIX:
        assert "glibc" in _system()


def test_a_build_that_was_interrupted_is_not_used(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built(checkout)
    (checkout / "stream/sla/engine.py").write_text("ANSWER = 2\n", "utf-8")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(zipfile.ZipFile, "extractall", interrupt)
        with pytest.raises(KeyboardInterrupt):
            built(checkout)
    use(checkout)
    assert finders() == []

    folder = built(checkout)
    assert [*(checkout / FOLDER).iterdir()] == [folder]


def test_a_wheel_without_machine_code_is_refused(checkout: Path) -> None:
    wheel = checkout / "plain.whl"
    with zipfile.ZipFile(wheel, "w") as content:
        content.writestr("stream/sla/engine.py", b"")

    with pytest.raises(ValueError, match="no machine code"):
        unpack(wheel, checkout, checkout)

    use(checkout)
    assert finders() == []


def test_it_is_not_used_where_the_source_is_asked_for(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built(checkout)
    monkeypatch.setenv(OFF, "yes")

    use(checkout)

    assert finders() == []


def test_a_new_build_replaces_the_one_before(checkout: Path) -> None:
    first = built(checkout)
    (checkout / "stream/sla/engine.py").write_text("ANSWER = 2\n", "utf-8")
    second = built(checkout)

    assert [folder.name for folder in (checkout / FOLDER).iterdir()] == [key(checkout)] == [second.name] != [first.name]
