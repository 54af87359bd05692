# SPDX-License-Identifier: Apache-2.0
"""Which files of a source directory stay at home: `.amlignore`, else `.gitignore`, as git reads it.

Source: git-scm.com/docs/gitignore, "Pattern format".
"""

from __future__ import annotations

import re
from pathlib import Path

from azureml.exceptions import UserErrorException

NAMES = (".amlignore", ".gitignore")
_BYTES_MAX = 1 << 20
_CLASSES = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "blank": r" \t", "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9", "graph": r"\x21-\x7e", "lower": "a-z", "print": r"\x20-\x7e",
    "punct": r"!-/:-@\[-`{-~", "space": r" \t-\r", "upper": "A-Z", "xdigit": "0-9a-fA-F",
}


class Rules:
    """The ignore files on the way from a source directory to a place in it."""

    def __init__(self, root: Path):
        self._root = root
        self._name = next((name for name in NAMES if (root / name).is_file()), NAMES[-1])
        self._files: dict[str, list[_Rule]] = {}

    def leaves_out(self, path: str, is_folder: bool) -> bool:
        """Whether the file or folder at `path` (relative, with `/`) stays at home. Of a folder
        that does, nothing else is to be asked: what is in it cannot be taken in again."""
        parts = path.split("/")
        for depth in range(len(parts) - 1, -1, -1):
            inside = "/".join(parts[depth:])
            for rule in reversed(self._of("/".join(parts[:depth]))):
                if rule.fits(inside, is_folder):
                    return not rule.takes_in
        return False

    def _of(self, folder: str) -> list[_Rule]:
        if folder not in self._files:
            self._files[folder] = _read(self._root / folder / self._name)
        return self._files[folder]


class _Rule:
    """A line of an ignore file; `takes_in` for one that begins with `!`."""

    def __init__(self, pattern: str):
        self.takes_in = pattern.startswith("!")
        if self.takes_in:
            pattern = pattern[1:]
        self._folders_only = pattern.endswith("/")
        if self._folders_only:
            pattern = pattern[:-1]
        self._of_name = "/" not in pattern
        if pattern.startswith("/"):
            pattern = pattern[1:]
        text = _expression(pattern) if pattern else None
        self._expression = re.compile(text, re.DOTALL) if text is not None else None

    def fits(self, path: str, is_folder: bool) -> bool:
        if self._expression is None or (self._folders_only and not is_folder):
            return False
        asked = path.rsplit("/", 1)[-1] if self._of_name else path
        return self._expression.fullmatch(asked) is not None


def _read(file: Path) -> list[_Rule]:
    if not file.is_file():
        return []
    content = file.read_bytes()
    if len(content) > _BYTES_MAX:
        raise UserErrorException(f"{file} has {len(content)} bytes, more than {_BYTES_MAX}")
    text = content.decode("utf-8-sig", errors="surrogateescape")
    rules = []
    for line in text.split("\n"):
        line = _without_end(line[:-1] if line.endswith("\r") else line)
        if line and not line.startswith("#"):
            rules.append(_Rule(line))
    return rules


def _without_end(line: str) -> str:
    """Without the spaces at the end that no backslash keeps."""
    end = 0
    at = 0
    while at < len(line):
        if line[at] == "\\" and at + 1 < len(line):
            at += 2
            end = at
            continue
        at += 1
        if line[at - 1] != " ":
            end = at
    return line[:end]


def _expression(pattern: str) -> str | None:
    """A regular expression for the whole path; None for a pattern that fits nothing."""
    out = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "*":
            stars = len(pattern[at:]) - len(pattern[at:].lstrip("*"))
            before = at == 0 or pattern[at - 1] == "/"
            after = pattern[at + stars : at + stars + 1]
            at += stars
            if stars >= 2 and before and after == "/":
                out.append("(?:[^/]+/)*")
                at += 1
            elif stars >= 2 and before and after == "":
                out.append(".+")
            else:
                out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
            at += 1
        elif char == "[":
            found = _bracket(pattern, at)
            if found is None:
                return None
            text, at = found
            out.append(text)
        elif char == "\\":
            if at + 1 == len(pattern):
                return None
            out.append(re.escape(pattern[at + 1]))
            at += 2
        else:
            out.append(re.escape(char))
            at += 1
    return "".join(out)


def _bracket(pattern: str, start: int) -> tuple[str, int] | None:
    """The class that begins at `start`, and where it ends; None for one that does not end."""
    at = start + 1
    negated = pattern[at : at + 1] in ("!", "^") and pattern[at : at + 1] != ""
    if negated:
        at += 1
    items: list[str] = []
    first = True
    while True:
        if at >= len(pattern):
            return None
        char = pattern[at]
        if char == "]" and not first:
            break
        first = False
        if pattern.startswith("[:", at):
            end = pattern.find(":]", at + 2)
            if end >= 0 and "]" not in pattern[at + 2 : end]:
                members = _CLASSES.get(pattern[at + 2 : end])
                if members is None:
                    return None
                items.append(members)
                at = end + 2
                continue
        low, at = _member(pattern, at)
        if low is None:
            return None
        if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in ("", "]"):
            high, at = _member(pattern, at + 1)
            if high is None:
                return None
            if low <= high:
                items.append(f"{_literal(low)}-{_literal(high)}")
        else:
            items.append(_literal(low))
    inside = "".join(items)
    if negated:
        return f"[^/{inside}]", at + 1
    return (f"(?!/)[{inside}]" if inside else "(?!)"), at + 1


def _member(pattern: str, at: int) -> tuple[str | None, int]:
    if pattern[at] != "\\":
        return pattern[at], at + 1
    if at + 1 >= len(pattern):
        return None, at
    return pattern[at + 1], at + 2


def _literal(char: str) -> str:
    return re.escape(char) if char not in "^&~|" else "\\" + char
