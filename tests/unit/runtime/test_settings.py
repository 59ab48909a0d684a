"""Settings from flags, the environment and a file, and all problems at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from stream.cli.options import settings_flags
from stream.runtime.settings import ENTRIES, ClockMode, Settings, SettingsError, flag, variable
from stream.runtime.settings_sources import load, misspelt_variables

if TYPE_CHECKING:
    from pathlib import Path

_NEEDED = {"policies": "batoi"}


def _problems(flags: dict[str, str | None], environment: dict[str, str], file: Path | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(flags, environment, file)
    return caught.value.problems


def test_a_setting_that_is_not_given_has_its_default() -> None:
    settings = load(_NEEDED, {})

    assert settings == Settings(policies=("batoi",))
    assert settings.broker == ("127.0.0.1:9092",)
    assert settings.clock is ClockMode.WALL
    assert settings.grace == 200_000


@pytest.mark.parametrize(
    ("clock", "given", "kept"),
    [
        ("wall", None, 30 * 86_400_000_000),
        ("event", None, None),
        ("event", "auto", None),
        ("event", "30d", 30 * 86_400_000_000),
        ("event", "0s", 0),
        ("wall", "never", None),
    ],
)
def test_a_worker_on_a_recorded_feed_keeps_all_tickets_unless_a_retention_is_set(
    clock: str, given: str | None, kept: int | None
) -> None:
    assert load({**_NEEDED, "clock": clock, "retention": given}, {}).retention == kept


def test_a_retention_that_is_neither_a_word_nor_a_duration_is_a_problem() -> None:
    (problem,) = _problems({**_NEEDED, "retention": "always"}, {})

    assert problem.startswith("--retention: 'always' is not a length of time")


def test_a_flag_overrides_the_environment_and_the_environment_overrides_the_file(tmp_path: Path) -> None:
    file = tmp_path / "breachwatch.toml"
    file.write_text('policies = ["a.yaml", "b.yaml"]\ngrace = "1s"\napp_id = "file"\npartitions = 8\n', "utf-8")

    settings = load({"grace": "3s"}, {"BREACHWATCH_GRACE": "2s", "BREACHWATCH_APP_ID": "environment"}, file)

    assert settings.grace == 3_000_000
    assert settings.app_id == "environment"
    assert settings.partitions == 8
    assert settings.policies == ("a.yaml", "b.yaml")


def test_each_setting_has_the_same_value_from_all_three_sources(tmp_path: Path) -> None:
    file = tmp_path / "breachwatch.toml"
    values = {name: "batoi" if entry.default is None else entry.default for name, entry in ENTRIES.items()}
    values |= {"advertise": "https://sla.example:8443", "token": "a-token-of-many-characters"}
    file.write_text("".join(f'{name} = "{value}"\n' for name, value in values.items()), "utf-8")

    from_file = load({}, {}, file)

    assert load(values, {}) == from_file
    assert load({}, {variable(name): value for name, value in values.items()}) == from_file


def test_an_unknown_name_in_the_file_names_the_setting_that_is_meant(tmp_path: Path) -> None:
    file = tmp_path / "breachwatch.toml"
    file.write_text('brocker = "kafka:9092"\nxyzzy = 1\n[notfy]\nlisten = 1\n', "utf-8")

    brocker, xyzzy, notfy = _problems({**_NEEDED}, {}, file)

    assert brocker.endswith("unknown setting; did you mean broker?")
    assert "known: broker, policies" in xyzzy
    assert notfy.endswith("unknown table; did you mean notify?")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("BREACHWATCH_PARTITONS", "BREACHWATCH_PARTITIONS"),
        ("BREACHWATCH_TOPICS_PREFIX", "BREACHWATCH_TOPIC_PREFIX"),
        ("BREACHWATCH_SERVICE_HOST", ""),  # Kubernetes sets it
        ("BREACHWATCH_PORT_9300_TCP", ""),
        ("BREACHWATCH_CONFIG", ""),
        ("BREACHWATCH_PARTITIONS", ""),
        ("PARTITONS", ""),
    ],
)
def test_a_misspelt_variable_names_the_one_that_is_meant(name: str, meant: str) -> None:
    warnings = misspelt_variables({name: "8"})

    assert warnings == ([f"the variable {name} has no effect: did you mean {meant}?"] if meant else [])


def test_customers_of_the_metrics_are_names_as_tickets_have_them() -> None:
    settings = load({**_NEEDED, "metric_customers": 'acme, "Initech, Inc.", Z\u0061\u0308hringer'}, {})

    assert settings.metric_customers == {"acme", "Initech, Inc.", "Z\u00e4hringer"}


def test_there_are_as_few_customers_of_the_metrics_as_a_label_may_have_values() -> None:
    (problem,) = _problems({**_NEEDED, "metric_customers": ",".join(map(str, range(101)))}, {})
    assert problem == ("--metric-customers: it names 101 customers; each multiplies the series, so name at most 100")
    (problem,) = _problems({**_NEEDED, "metric_customers": '"acme'}, {})
    assert "is not a list of names" in problem


def test_customers_of_the_metrics_need_the_field() -> None:
    (problem,) = _problems({**_NEEDED, "metric_customers": "acme", "keep_fields": "team"}, {})

    assert problem == "metric_customers needs the field customer of tickets, which is not kept: add customer to keep_fields"
    assert load({**_NEEDED, "metric_customers": "acme", "keep_fields": "*"}, {}).metric_customers == {"acme"}


def test_all_problems_are_listed_at_once_with_their_places(tmp_path: Path) -> None:
    file = tmp_path / "breachwatch.toml"
    file.write_text("gracious = 1\nroutine = true\nhistory = 0\n", "utf-8")

    problems = _problems({"clock": "moon"}, {"BREACHWATCH_BROKER": "localhost", "BREACHWATCH_GRACE": "2"}, file)

    assert len(problems) == 6
    assert problems[0].startswith("gracious in ")
    assert any(p.startswith("history in ") and "between 2 and 10000" in p for p in problems)
    assert any(p.startswith("--clock: 'moon'") and "wall, event" in p for p in problems)
    assert any(p.startswith("BREACHWATCH_BROKER in the environment") and "host:port" in p for p in problems)
    assert any(p.startswith("BREACHWATCH_GRACE in the environment") and "0.2s" in p for p in problems)
    assert any(p.startswith("no policies") and "--policies" in p and "BREACHWATCH_POLICIES" in p for p in problems)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("broker", "host:0"),
        ("broker", "host:99999"),
        ("broker", ","),
        ("page_prefix", "/tickets"),
        ("page_prefix", "/metrics/sla"),
        ("allowed_hosts", "https://sla.example.com"),
        ("allowed_hosts", "sla.example.com/pages"),
        ("allowed_hosts", "me@sla.example.com"),
        ("allowed_hosts", "*.example.com"),
        ("allowed_hosts", "[sla"),
        ("allowed_hosts", "sla.example.com, :8443"),
        ("allowed_hosts", f"{'ü' * 64}.example"),
        ("advertise", "desk:9300"),
        ("advertise", "ftp://desk:9300"),
        ("advertise", "http://desk:port"),
        ("advertise", "http://desk/sla"),
        ("advertise", "http://me:secret@desk"),
        ("token", "short"),
        ("token", "with spaces in the middle"),
        ("grace", "-1s"),
        ("grace", "2m"),
        ("grace", "1.2.3s"),
        ("grace", "s"),
        ("topic_prefix", "a b"),
        ("app_id", ""),
        ("partitions", "0"),
        ("partitions", "four"),
        ("metrics_port", "65536"),
        ("session_timeout", "1s"),
        ("routine", "perhaps"),
        ("batch", "1e3"),
    ],
)
def test_an_invalid_value_is_a_problem(name: str, value: str) -> None:
    (problem,) = _problems({**_NEEDED, name: value}, {})

    assert problem.startswith(flag(name))


@pytest.mark.parametrize(
    ("name", "bounds", "inside", "outside"),
    [
        ("grace", "0s to 1m", ["0s", "1m"], ["1.001m"]),
        ("partitions", "1 to 4096", ["1", "4096"], ["0", "4097"]),
        ("retention", "0s to 3650d, auto or never", ["0s", "3650d", "auto", "never"], ["3651d"]),
        ("app_id", "1 to 100 characters of A-Z a-z 0-9 . _ -", ["a", "a" * 100], ["", "a" * 101]),
        ("topic_prefix", "at most 100 characters of A-Z a-z 0-9 . _ -", ["", "a" * 100], ["a" * 101]),
        ("token", "none, or at least 16 ASCII characters without spaces", ["", "a" * 16], ["a" * 15]),
        ("metric_customers", "at most 100 names", [",".join(map(str, range(100)))], [",".join(map(str, range(101)))]),
        ("keep_fields", "names of at most 64 characters, or *", ["a" * 64, "*"], ["a" * 65]),
        ("ticket_url", "", [""], []),
    ],
)
def test_the_bounds_of_a_setting_are_those_that_its_reader_enforces(
    name: str, bounds: str, inside: list[str], outside: list[str]
) -> None:
    assert ENTRIES[name].bounds == bounds
    for value in inside:
        ENTRIES[name].reader(value)
    for value in outside:
        with pytest.raises(ValueError, match=r"."):
            ENTRIES[name].reader(value)


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("", ()),
        ("*", ("*",)),
        ("SLA.example.com:8443, sla.example.com.", ("sla.example.com", "sla.example.com")),
        ("sla_1, [2001:DB8::1]:9300", ("sla_1", "2001:db8::1")),
        ("Bücher.example", ("xn--bcher-kva.example",)),
    ],
)
def test_the_name_of_a_host_is_the_one_that_browsers_send(text: str, hosts: tuple[str, ...]) -> None:
    assert load({**_NEEDED, "allowed_hosts": text}, {}).allowed_hosts == hosts


@pytest.mark.parametrize(("text", "micros"), [("200ms", 200_000), ("0.2s", 200_000), ("1m", 60_000_000), ("0s", 0)])
def test_a_length_of_time_is_converted_exactly(text: str, micros: int) -> None:
    assert load({**_NEEDED, "grace": text}, {}).grace == micros


def test_a_file_that_is_missing_or_not_toml_is_a_problem(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("grace = ", "utf-8")

    assert "cannot be read" in _problems(dict(_NEEDED), {}, tmp_path / "none.toml")[0]
    assert "not TOML" in _problems(dict(_NEEDED), {}, broken)[0]


def test_the_help_of_a_command_has_the_flag_variable_and_default_of_every_setting() -> None:
    @click.command()
    @settings_flags
    def command(**_: object) -> None: ...

    text = " ".join(CliRunner().invoke(command, ["--help"], terminal_width=200).output.split())

    for name, entry in ENTRIES.items():
        assert flag(name) in text
        assert variable(name) in text
        assert (entry.default is None) or f"default {entry.default or 'none'}]" in text


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_secret_is_read_from_the_file_that_the_environment_names(tmp_path: Path, ending: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(f" sixteen letters and a space {ending}".encode())

    settings = load(
        {**_NEEDED, "sasl_mechanism": "PLAIN", "sasl_username": "desk"}, {"BREACHWATCH_SASL_PASSWORD_FILE": str(file)}
    )

    assert settings.sasl_password == " sixteen letters and a space "


def test_a_secret_in_a_file_overrides_the_settings_file_but_not_a_flag(tmp_path: Path) -> None:
    config, file = tmp_path / "breachwatch.toml", tmp_path / "secret"
    config.write_text('token = "the-one-of-the-settings-file"\n', "utf-8")
    file.write_text("the-one-of-its-own-file\n", "utf-8")
    environment = {"BREACHWATCH_TOKEN_FILE": str(file)}

    assert load(_NEEDED, environment, config).token == "the-one-of-its-own-file"
    assert load({**_NEEDED, "token": "the-one-of-the-flag"}, environment, config).token == "the-one-of-the-flag"


@pytest.mark.parametrize(
    ("content", "more", "problem"),
    [
        (None, {}, "cannot be read: No such file"),
        (b"\xff\xfe", {}, "is not UTF-8 text"),
        (b"a-token-of-enough-letters", {"BREACHWATCH_TOKEN": "another-token-of-letters"}, "BREACHWATCH_TOKEN is set too"),
        (b"short", {}, "at least 16"),
        (b"", {}, "is empty"),
        (b" \n", {}, "is empty"),
    ],
)
def test_a_file_of_a_secret_that_cannot_be_used_is_a_problem_without_the_secret(
    tmp_path: Path, content: bytes | None, more: dict[str, str], problem: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)

    (found,) = _problems({**_NEEDED}, {"BREACHWATCH_TOKEN_FILE": str(file), **more})

    assert found.startswith("BREACHWATCH_TOKEN_FILE in the environment: ")
    assert problem in found
    assert "letters" not in found
    assert "short" not in found.replace(str(file), "")


@pytest.mark.parametrize(("text", "problem"), [(None, "cannot be read"), ('broker = "x', "is not TOML")])
def test_a_file_that_cannot_be_read_is_not_reported_as_lacking_settings_too(
    tmp_path: Path, text: str | None, problem: str
) -> None:
    file = tmp_path / "breachwatch.toml"
    if text is not None:
        file.write_text(text, "utf-8")

    (only,) = _problems({}, {}, file)

    assert problem in only
