"""``breachwatch --version`` names the data that deadlines depend on, too, and whether the hot path is compiled."""

from importlib.metadata import version

from click.testing import CliRunner

from stream import __version__
from stream.cli.main import main


def test_the_version_names_the_releases_of_the_time_zone_and_holiday_data_and_the_hot_path() -> None:
    result = CliRunner().invoke(main, ["--version"])
    data = f"tzdata {version('tzdata')}, holidays {version('holidays')}"
    # Tests run the source.
    assert (result.exit_code, result.output) == (0, f"breachwatch, version {__version__} ({data}; hot path interpreted)\n")
