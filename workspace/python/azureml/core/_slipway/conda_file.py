# SPDX-License-Identifier: Apache-2.0
"""Reads the part of YAML that conda's environment files are written in."""

from __future__ import annotations

import re

from azureml.exceptions import UserErrorException

_FILE_CHARS = 1 << 20


class CondaFile:
    """What an environment file says; `pip` may hold options of pip beside packages."""

    def __init__(self):
        self.name = "project_environment"
        self.conda: list[str] = []
        self.pip: list[str] = []
        self.channels: list[str] = []


def read_conda_file(text: str, path: str) -> CondaFile:
    """UserErrorException naming the line that cannot be understood."""
    if len(text) > _FILE_CHARS:
        raise UserErrorException(f"{path} is too large to be a dependency file")
    return _Reader(path).read(text)


class _Reader:
    def __init__(self, path: str):
        self._path = path
        self._file = CondaFile()
        self._section = ""
        self._pip_indent = None
        self._line = 0

    def read(self, text: str) -> CondaFile:
        for self._line, raw in enumerate(text.splitlines(), 1):
            line = _without_comment(raw).rstrip()
            if not line.strip() or line.strip() in ("---", "..."):
                continue
            if "\t" in line[: len(line) - len(line.lstrip())]:
                raise self._wrong(raw, "is indented with a tab")
            self._take(line, len(line) - len(line.lstrip(" ")), raw)
        return self._file

    def _take(self, line: str, indent: int, raw: str) -> None:
        body = line.strip()
        if body == "-" or body.startswith("- "):
            self._take_item(body[1:].strip(), indent, raw)
            return
        match = re.fullmatch(r"([A-Za-z_][\w-]*)\s*:(?:\s+(.*))?", body)
        if match is None or indent != 0:
            raise self._wrong(raw, "is neither a key nor an item of a list")
        key, value = match.group(1), (match.group(2) or "").strip()
        self._section, self._pip_indent = key, None
        if key in ("name", "prefix"):
            if key == "name":
                self._file.name = _unquoted(value)
        elif key in ("dependencies", "channels"):
            for item in self._flow(value, raw):
                self._take_item(item, 0, raw)

    def _take_item(self, item: str, indent: int, raw: str) -> None:
        if self._section == "channels":
            self._file.channels.append(self._plain(item, raw))
            return
        if self._section != "dependencies":
            if self._section in ("", "name", "prefix"):
                raise self._wrong(raw, "belongs to no list")
            return
        if re.fullmatch(r"['\"]?pip['\"]?\s*:(\s*\[.*\])?", item):
            self._pip_indent = indent
            value = item.split(":", 1)[1].strip()
            self._file.pip += [self._plain(each, raw) for each in self._flow(value, raw)]
            return
        in_pip = self._pip_indent is not None and indent > self._pip_indent
        if not in_pip:
            self._pip_indent = None
        (self._file.pip if in_pip else self._file.conda).append(self._plain(item, raw))

    def _plain(self, item: str, raw: str) -> str:
        value = _unquoted(item)
        if not value or value[0] in "{[&*|>" or re.search(r":(\s|$)", value):
            raise self._wrong(raw, "is no package or channel")
        return value

    def _flow(self, value: str, raw: str) -> list[str]:
        if not value:
            return []
        if not (value.startswith("[") and value.endswith("]")):
            raise self._wrong(raw, "must be a list")
        return [item.strip() for item in re.split(r",(?![<>=!~])", value[1:-1]) if item.strip()]

    def _wrong(self, raw: str, why: str) -> UserErrorException:
        return UserErrorException(f"{self._path} line {self._line}: {raw.strip()!r} {why}")


def _without_comment(line: str) -> str:
    quote = ""
    for index, char in enumerate(line):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"" and (index == 0 or line[index - 1] in " -[,"):
            quote = char
        elif char == "#" and (index == 0 or line[index - 1] in " \t"):
            return line[:index]
    return line


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return text
