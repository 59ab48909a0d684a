"""The settings of commands that have a table of their own in the settings file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stream.runtime import setting_values as read
from stream.runtime.settings_sources import load
from stream.runtime.table_settings import Sources, setting, table_of, values_of

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Some:
    """Settings of a command."""

    listen: tuple[str, ...] = setting(read.addresses, None, "Where.")
    most: int = setting(read.Whole(1, 9), "5", "How many.")
    token: str = setting(read.token, "", "What requests need.", secret=True)


def _read(flags: dict[str, str | None], environment: dict[str, str], file: Path | None = None) -> tuple[Any, list[str]]:
    problems: list[str] = []
    table = table_of(file, "gateway", problems)
    return values_of(Some, "gateway", Sources(flags, environment, file), table, problems), problems


def test_a_flag_overrides_the_environment_and_the_environment_overrides_the_table(tmp_path: Path) -> None:
    file = tmp_path / "breachwatch.toml"
    file.write_text('broker = "kafka:9092"\n[gateway]\nlisten = ["a:1", "b:2"]\nmost = 3\n', "utf-8")

    assert _read({}, {}, file) == ({"listen": ("a:1", "b:2"), "most": 3}, [])
    assert _read({"most": None}, {"BREACHWATCH_GATEWAY_MOST": "4"}, file)[0]["most"] == 4
    assert _read({"most": "6"}, {"BREACHWATCH_GATEWAY_MOST": "4"}, file)[0]["most"] == 6


def test_every_problem_is_listed_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "breachwatch.toml"
    file.write_text("[gateway]\nmots = 3\nmost = {}\n", "utf-8")

    _, problems = _read({}, {"BREACHWATCH_GATEWAY_MOST": "10"}, file)

    assert [problem.partition(": ")[0] for problem in problems] == [
        f"gateway.mots in {file}",
        f"gateway.most in {file}",
        "BREACHWATCH_GATEWAY_MOST in the environment",
        "no listen",
    ]
    assert problems[-1].endswith("or listen below [gateway] in breachwatch.toml. Where.")


def test_a_secret_is_read_from_the_file_that_the_environment_names(tmp_path: Path) -> None:
    (file := tmp_path / "token").write_text("sixteen-letters-and-more\n", "utf-8")
    (settings := tmp_path / "breachwatch.toml").write_text('[gateway]\ntoken = "another-sixteen-letters"\n', "utf-8")
    given = {"BREACHWATCH_GATEWAY_LISTEN": "a:1", "BREACHWATCH_GATEWAY_TOKEN_FILE": str(file)}

    values, problems = _read({}, given, settings)

    assert (values["token"], problems) == ("sixteen-letters-and-more", [])
    assert "sixteen" not in repr(Some(**values))
    assert _read({"token": "a-third-of-sixteen-letters"}, given)[0]["token"] == "a-third-of-sixteen-letters"


def test_a_file_of_a_secret_that_cannot_be_used_is_a_problem(tmp_path: Path) -> None:
    given = {"BREACHWATCH_GATEWAY_LISTEN": "a:1", "BREACHWATCH_GATEWAY_TOKEN_FILE": str(tmp_path / "none")}

    assert _read({}, given)[1] == [
        f"BREACHWATCH_GATEWAY_TOKEN_FILE in the environment: {tmp_path}/none cannot be read: No such file or directory"
    ]
    (both,) = _read({}, given | {"BREACHWATCH_GATEWAY_TOKEN": "sixteen-letters-and-more"})[1]
    assert both.endswith("BREACHWATCH_GATEWAY_TOKEN is set too: omit one of them")


def test_a_table_that_is_none_and_a_file_that_cannot_be_read_are_problems(tmp_path: Path) -> None:
    (file := tmp_path / "breachwatch.toml").write_text("gateway = 3\n", "utf-8")
    (broken := tmp_path / "broken.toml").write_text("[", "utf-8")
    problems: list[str] = []

    assert [table_of(each, "gateway", problems) for each in (file, broken, tmp_path / "none.toml")] == [{}, {}, {}]
    assert [problem.rpartition(str(tmp_path))[2].partition(": ")[2][:10] for problem in problems] == [
        "must be a ",
        "is not TOM",
        "cannot be ",
    ]


def test_a_worker_does_not_read_the_tables_of_other_commands(tmp_path: Path) -> None:
    file = tmp_path / "breachwatch.toml"
    file.write_text('policies = "batoi"\n[gateway]\nlisten = "a:1"\n[gateway.feeds.desk]\nmapping = "zendesk"\n', "utf-8")

    assert load({}, {}, file).policies == ("batoi",)
