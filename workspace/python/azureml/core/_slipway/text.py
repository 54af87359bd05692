# SPDX-License-Identifier: Apache-2.0
"""Small conversions between what callers write and what goes over the wire."""

from __future__ import annotations

import difflib

from azureml.exceptions import UserErrorException


def text_map(value, what: str) -> dict[str, str]:
    """Tags or properties as a map of texts; a list of names becomes names without values."""
    if value is None:
        return {}
    if isinstance(value, (list, tuple, set)):
        if not all(isinstance(name, str) for name in value):
            raise UserErrorException(f"{what} must be a dict or a list of strings, not {value!r}")
        return {name: "" for name in value}
    if not isinstance(value, dict):
        raise UserErrorException(
            f"{what} must be a dict or a list of strings, not {type(value).__name__}"
        )
    return {str(key): "" if item is None else str(item) for key, item in value.items()}


def name_list(value, what: str) -> list[str]:
    """A list of names; a single one may be given bare."""
    if isinstance(value, str):
        return [value]
    if value is None or not all(isinstance(name, str) for name in value):
        raise UserErrorException(f"{what} must be a list of strings, not {value!r}")
    return list(value)


def filter_pairs(value, what: str) -> list[tuple[str, str | None]]:
    """The filters of a list: 'key' or ['key', 'value'], all of which must hold."""
    if value is None:
        return []
    if isinstance(value, str):
        value = [value]
    if isinstance(value, dict):
        value = list(value.items())
    pairs = []
    for item in value:
        if isinstance(item, str):
            pairs.append((item, None))
        elif isinstance(item, (list, tuple)) and len(item) in (1, 2):
            pairs.append((str(item[0]), str(item[1]) if len(item) == 2 else None))
        else:
            raise UserErrorException(f"{what}: {item!r} is neither 'key' nor ['key', 'value']")
    return pairs


def fits(pairs: list[tuple[str, str | None]], values: dict[str, str]) -> bool:
    """Whether `values` has every key, and the value where one is wanted."""
    return all(key in values and want in (None, values[key]) for key, want in pairs)


def nearest(word: str, known) -> str:
    """` (did you mean "x"?)` for the known word that is most like it, or nothing."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return f' (did you mean "{by_lower[close[0]]}"?)' if close else ""


def split_id(text: str) -> tuple[str, int | None]:
    """`name:7` as its parts; without a number the version is None."""
    name, colon, version = text.rpartition(":")
    if not colon:
        return text, None
    if not version.isdigit():
        raise UserErrorException(f'"{text}" is no id of the form name:version')
    return name, int(version)


def plain_time(text: str):
    """An RFC 3339 time as a datetime; None where there is none."""
    if not text:
        return None
    from datetime import datetime, timezone

    whole = text.rstrip("Z").split("+")[0]
    form = "%Y-%m-%dT%H:%M:%S.%f" if "." in whole else "%Y-%m-%dT%H:%M:%S"
    if "." in whole:
        head, fraction = whole.split(".")
        whole = f"{head}.{fraction[:6]}"
    return datetime.strptime(whole, form).replace(tzinfo=timezone.utc)
