"""Reads the ``holidays`` of a calendar: countries, dates of every year, single dates.

Public holidays come from the ``holidays`` library. Some dates depend on the moon or on a yearly decree of a government; the
library has them only as far as they are known (those of India up to 2035, for example). Later years have only the fixed
dates. The names are always in English: the library would otherwise use the language of the process, and ``except`` would
depend on the machine.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from datetime import date
from difflib import get_close_matches
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Final

import holidays as library

from stream.documents.readers import as_text, section, shown, under
from stream.language.calendar_week import read_date, read_windows
from stream.language.holiday_hints import country_hint, in_other_languages, local_days, subdivision_hint
from stream.sla.calendar.week import Holiday, Holidays, Windows

if TYPE_CHECKING:
    from stream.documents.document import Report

_Source = Callable[[int], Mapping[date, Holiday]]
_FORMS: Final = "write {country: IN}, {date: 2026-11-08, name: Diwali}, {date: 12-31, name: Silvester} or a bare date"
_ENGLISH: Final = "en_US"
_YEARS_TO_CHECK: Final = range(2015, 2036)
"""A holiday that ``except`` names must occur in these years; otherwise the name is reported as a mistake."""


def read_holidays(data: object, report: Report) -> Holidays:
    """The holidays of all entries. If several entries have the same date, the last one applies."""
    if not isinstance(data, list):
        report((), f"give a list, [] for no holidays: {_FORMS}")
        data = []
    sources = [source for place, entry in enumerate(data) if (source := _read_entry(entry, under(report, place)))]

    def holidays_of(year: int) -> Mapping[date, Holiday]:
        found: dict[date, Holiday] = {}
        for source in sources:
            found.update(source(year))
        return found

    return Holidays(holidays_of)


def warn_of_local_days(data: object, warn: Report) -> None:
    """Warn of entries that leave out the holidays of a part of their region. ``data``: a valid calendar."""
    given = data.get("holidays", []) if isinstance(data, Mapping) else []
    for place, entry in enumerate(given if isinstance(given, list) else []):
        if days := local_days(entry):
            listed = ", ".join(f"{name} ({day:%m-%d})" for name, day in days.items())
            warn(
                ("holidays", place),
                f"holidays in a part of {entry['subdivision']} only are left out: {listed}; "
                "add them with `categories: [public, catholic]`, or state `categories: [public]`",
            )


def _read_entry(entry: object, report: Report) -> _Source | None:
    if isinstance(entry, str):
        return _dated(entry, "holiday", (), report)
    if not isinstance(entry, Mapping) or ("country" in entry) == ("date" in entry):
        report((), f"this is not a holiday: {_FORMS}")
        return None
    windows = read_windows(entry["open"], under(report, "open")) if "open" in entry else ()
    if "country" in entry:
        section(entry, report, ("country", "subdivision", "categories", "except", "open"))
        return _read_country(entry, windows, report)
    section(entry, report, ("date", "name", "open"))
    name = entry.get("name", "holiday")
    if not isinstance(name, str) or not name:
        report(("name",), f"{shown(name)} is not a name: give a text")
        return None
    return _dated(entry["date"], name, windows, under(report, "date"))


def _dated(text: object, name: str, windows: Windows, report: Report) -> _Source | None:
    holiday = Holiday(name, windows)
    if isinstance(text, str) and (match := re.fullmatch(r"([0-9]{2})-([0-9]{2})", text)):
        month, day = map(int, match.groups())
        try:
            date(2024, month, day)  # a leap year, so that 02-29 is accepted
        except ValueError:
            report((), f"`{text}` is not a day of any year: write month and day, as 12-24")
            return None

        def every_year(year: int) -> Mapping[date, Holiday]:
            try:
                return {date(year, month, day): holiday}
            except ValueError:
                return {}

        return every_year
    found = read_date(text, report)
    if found is None:
        return None
    return lambda year: {found: holiday} if year == found.year else {}


def _read_country(entry: Mapping[str, object], windows: Windows, report: Report) -> _Source | None:
    country = entry["country"]
    known = library.list_supported_countries()
    if not isinstance(country, str) or country not in known:
        hint = country_hint(country) or ": give an ISO 3166 code, such as IN, DE or US"
        report(("country",), f"the holidays of {shown(country)} are not known{hint}")
        return None
    subdivision = as_text(entry.get("subdivision"))
    if entry.get("subdivision") is not None and subdivision not in known[country]:
        choice = ", ".join(known[country]) or "none"
        hint = subdivision_hint(country, entry["subdivision"])
        report(("subdivision",), f"{country} has no subdivision {shown(entry['subdivision'])}{hint or ':'} there are {choice}")
        return None
    categories = _read_categories(country, entry.get("categories", ["public"]), under(report, "categories"))
    if not categories:
        return None
    named = _country_days(country, subdivision, categories)
    meant = partial(_named_otherwise, country, subdivision, categories)
    left_out = _read_left_out(entry.get("except", []), named, meant, under(report, "except"))

    def of_country(year: int) -> Mapping[date, Holiday]:
        found = {}
        for day, names in named(year).items():
            kept = [name for name in names if name not in left_out and _bare(name) not in left_out]
            if kept and day not in left_out:
                found[day] = Holiday("; ".join(kept), windows)
        return found

    return of_country


def _read_categories(country: str, data: object, report: Report) -> tuple[str, ...]:
    wanted = [data] if isinstance(data, str) else data
    if not isinstance(wanted, list) or not wanted:
        report((), "give a list of categories, such as [public]")
        return ()
    known = _categories_of(country)
    for place, category in enumerate(wanted):
        if category not in known:
            report((place,), f"{country} has no category {shown(category)}: there are {', '.join(known)}")
            return ()
    return tuple(map(str, wanted))


def _country_days(
    country: str, subdivision: str | None, categories: tuple[str, ...]
) -> Callable[[int], Mapping[date, list[str]]]:
    return partial(_days_of, country, subdivision, categories)


@lru_cache(maxsize=32_768)
def _days_of(country: str, subdivision: str | None, categories: tuple[str, ...], year: int) -> Mapping[date, list[str]]:
    """Not to be changed: all calendars of the country share it."""
    with warnings.catch_warnings():
        # The library warns about each year with dates that are not known yet; see the module's docstring.
        warnings.simplefilter("ignore")
        found = library.country_holidays(
            country, subdiv=subdivision, years=year, categories=categories, expand=False, language=_language_of(country)
        )
    return {day: found.get_list(day) for day in sorted(found)}


@cache
def _language_of(country: str) -> str | None:
    known = library.country_holidays(country)
    return _ENGLISH if _ENGLISH in known.supported_languages else known.default_language


@cache
def _categories_of(country: str) -> tuple[str, ...]:
    return tuple(library.country_holidays(country).supported_categories)


def _named_otherwise(country: str, subdivision: str | None, categories: tuple[str, ...], text: object) -> str | None:
    days = _days_of(country, subdivision, categories, _YEARS_TO_CHECK[-1])
    return in_other_languages(country, subdivision, categories, days, text) if days else None


def _read_left_out(
    data: object, named: Callable[[int], Mapping[date, list[str]]], meant: Callable[[object], str | None], report: Report
) -> frozenset[str | date]:
    """``meant``: the English name of a holiday that a text names in another language."""
    if not isinstance(data, list):
        report((), "give a list of the names or dates of holidays that do not count")
        return frozenset()
    left_out: set[str | date] = set()
    names: set[str] | None = None
    for place, item in enumerate(data):
        if isinstance(item, str) and item[:4].isdigit():
            day = read_date(item, under(report, place))
            if day is not None and day not in named(day.year):
                report((place,), f"{day} is not a holiday there: remove it")
            elif day is not None:
                left_out.add(day)
            continue
        if names is None:
            given = {name for year in _YEARS_TO_CHECK for found in named(year).values() for name in found}
            names = given | set(map(_bare, given))
        if not isinstance(item, str) or item not in names:
            near = [found] if (found := meant(item)) else get_close_matches(str(item), names, 1, 0.4)
            hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(sorted(names))}"
            report((place,), f"no holiday there is called {shown(item)}: {hint}")
            continue
        left_out.add(item)
    return frozenset(left_out)


def _bare(name: str) -> str:
    """``Ashura`` for ``Ashura (estimated)``, ``Christmas Day`` for ``Christmas Day (observed)``."""
    return name.partition(" (")[0]
