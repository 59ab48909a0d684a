"""Suggestions for a ``holidays`` entry: countries and regions by their names, holidays in other languages."""

from __future__ import annotations

import warnings
from difflib import get_close_matches
from functools import cache
from typing import TYPE_CHECKING, Final

import holidays as library
from holidays.registry import COUNTRIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

_LOCAL: Final = "catholic"
"""The category of days that are public holidays in a part of a region: in Germany, in mainly Catholic municipalities."""
_YEAR: Final = 2026
_ALIKE: Final = 0.75
_OWN_NAMES: Final = {"deutschland": "DE", "österreich": "AT", "schweiz": "CH", "uk": "GB", "england": "GB", "usa": "US"}
"""Names of countries that the library does not have."""


def country_hint(text: object) -> str:
    """``, did you mean `DE`?`` for ``de``, ``Germany`` or ``DEU``; empty if nothing is near."""
    wanted = _plain(str(text))
    names = _country_names()
    near = [wanted] if wanted in names else get_close_matches(wanted, names, 1, _ALIKE)
    return _did_you_mean(names[near[0]] if near else None)


def subdivision_hint(country: str, text: object) -> str:
    """``, did you mean `BY`?`` for ``by`` or ``Bayern``; empty if nothing is near."""
    found = library.country_holidays(country)
    names = {_plain(code): code for code in found.subdivisions}
    names |= {_plain(name): code for name, code in found.subdivisions_aliases.items()}
    wanted = _plain(str(text))
    near = [wanted] if wanted in names else get_close_matches(wanted, names, 1, _ALIKE)
    return _did_you_mean(names[near[0]] if near else None)


def in_other_languages(
    country: str, subdivision: str | None, categories: tuple[str, ...], english: Mapping[date, list[str]], text: object
) -> str | None:
    """The name by which a holiday is to be called, of one that ``text`` names in another language of the library.

    ``english``: the holidays of a year, with the names that count.
    """
    wanted, best = _plain(str(text)), dict[str, str]()
    for language in library.country_holidays(country).supported_languages:
        for day, names in _days(country, subdivision, categories, next(iter(english)).year, language).items():
            best |= {_plain(name): english[day][0] for name in names if day in english}
    near = get_close_matches(wanted, best, 1)
    return best[near[0]] if near else None


def local_days(entry: object) -> dict[str, date]:
    """Name to date of holidays that a country has in a part of the entry's region, if the entry names no categories."""
    if not isinstance(entry, dict) or "categories" in entry or not isinstance(entry.get("subdivision"), str):
        return {}
    country, subdivision = str(entry.get("country")), entry["subdivision"]
    if _LOCAL not in library.country_holidays(country).supported_categories:
        return {}
    everywhere = _days(country, subdivision, ("public",), _YEAR, "en_US")
    somewhere = _days(country, subdivision, ("public", _LOCAL), _YEAR, "en_US")
    return {names[0]: day for day, names in somewhere.items() if day not in everywhere}


def _days(country: str, subdivision: str | None, categories: Iterable[str], year: int, language: str) -> dict[date, list[str]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = library.country_holidays(
            country, subdiv=subdivision, years=year, categories=tuple(categories), expand=False, language=language
        )
    return {day: found.get_list(day) for day in sorted(found)}


@cache
def _country_names() -> dict[str, str]:
    supported = library.list_supported_countries()
    codes = {name: entry[1] for entry in COUNTRIES.values() for name in entry if entry[1] in supported}
    return {_plain(name): code for name, code in {**_OWN_NAMES, **codes}.items()}


def _plain(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _did_you_mean(meant: str | None) -> str:
    return "" if meant is None else f", did you mean `{meant}`?"
