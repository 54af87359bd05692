# SPDX-License-Identifier: Apache-2.0
"""A scoring script that was read and parsed, with what several checks ask of it."""

import ast
import io
import tokenize

from findings import ERROR, Finding


class Unreadable(Exception):
    """The script is no Python; `finding` says why."""

    def __init__(self, finding):
        super().__init__(finding.message)
        self.finding = finding


def _decode(data):
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Unreadable(
            Finding("Encoding", ERROR, 1, "the script is UTF-16 text", "save it as UTF-8")
        )
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise Unreadable(
            Finding(
                "Encoding", ERROR, line, "the script holds a zero byte", "save it as UTF-8 text"
            )
        )
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except (SyntaxError, LookupError) as error:
        raise Unreadable(
            Finding(
                "Encoding",
                ERROR,
                _bad_line(data),
                "its encoding cannot be told: %s" % error,
                "save it as UTF-8 without a coding line",
            )
        ) from None
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise Unreadable(
            Finding(
                "Encoding",
                ERROR,
                line,
                "byte 0x%02x is no %s text" % (data[error.start], encoding),
                "save the script as UTF-8, or name its encoding in the first line: # -*- coding:"
                " ... -*-",
            )
        ) from None


def _bad_line(data):
    for number, line in enumerate(data.split(b"\n"), 1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            return number
    return 1


def _parse(text, name, python):
    try:
        tree = ast.parse(text, name)
    except (SyntaxError, ValueError) as error:
        place = getattr(error, "lineno", 1) or 1
        found = Finding(
            "Syntax",
            ERROR,
            place,
            "no valid Python: %s" % (getattr(error, "msg", "") or error),
            "mend line %d" % place,
        )
        found.column = max(0, (getattr(error, "offset", 1) or 1) - 1)
        raise Unreadable(found) from None
    except (RecursionError, MemoryError):
        raise Unreadable(
            Finding("Syntax", ERROR, 1, "it is nested too deeply", "split it up")
        ) from None
    if python:
        try:
            ast.parse(text, name, feature_version=python)
        except SyntaxError as error:
            place = error.lineno or 1
            raise Unreadable(
                Finding(
                    "PythonVersion",
                    ERROR,
                    place,
                    "the image's Python %d.%d refuses: %s" % (python + (error.msg,)),
                    "write it for that version, or ask for a newer Python in the dependency file",
                )
            ) from None
    return tree


class Script:
    """`text`, `tree` (every node has `parent`), `functions` (of the module, by name)."""

    def __init__(self, path, python):
        with open(path, "rb") as file:
            self.text = _decode(file.read())
        self.tree = _parse(self.text, "score.py", python)
        self.functions = {}
        self.tree.parent = None
        for node in ast.walk(self.tree):
            for child in ast.iter_child_nodes(node):
                child.parent = node
        for node in self._top_level(self.tree.body):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.functions[node.name] = node
        self.star_import = any(
            isinstance(node, ast.ImportFrom) and node.names[0].name == "*"
            for node in ast.walk(self.tree)
        )

    def _top_level(self, body):
        """Statements of the module, those inside `if`, `try`, `with` included."""
        for node in body:
            yield node
            for name in ("body", "orelse", "finalbody"):
                if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                    yield from self._top_level(getattr(node, name, []))
            for handler in getattr(node, "handlers", []):
                yield from self._top_level(handler.body)

    def module_names(self):
        """Names that the module binds, functions' `global` statements included."""
        names = set()
        for node in self._top_level(self.tree.body):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                names.add(node.name)
            elif isinstance(node, (ast.Import, ast.ImportFrom)):
                names.update((a.asname or a.name).split(".")[0] for a in node.names)
            else:
                names.update(
                    n.id
                    for n in ast.walk(node)
                    if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
                )
        return names

    def ancestors(self, node):
        while node.parent is not None:
            node = node.parent
            yield node

    def function_of(self, node):
        """The function of the module that a node lies in, or None."""
        found = None
        for above in self.ancestors(node):
            if isinstance(above, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found = above
        return found if found is not None and self.functions.get(found.name) is found else None

    def handlers_around(self, node):
        """Names of exceptions that are caught around a node; `Exception` for a bare except."""
        below = node
        for above in self.ancestors(node):
            if isinstance(above, ast.Try) and below in above.body:
                for handler in above.handlers:
                    yield from _exception_names(handler.type)
            below = above

    def in_main_guard(self, node):
        """Whether a node runs only where the script is the program."""
        return any(
            isinstance(above, ast.If)
            and "__main__" in ast.dump(above.test)
            and "__name__" in ast.dump(above.test)
            for above in self.ancestors(node)
        )

    def reachable_from(self, *names):
        """Functions of the module that calls of these may call, by name."""
        found, queue = set(), [name for name in names if name in self.functions]
        while queue:
            name = queue.pop()
            if name in found:
                continue
            found.add(name)
            for node in ast.walk(self.functions[name]):
                if isinstance(node, ast.Name) and node.id in self.functions:
                    queue.append(node.id)
        return found


def _exception_names(node):
    if node is None:
        return ["Exception"]
    if isinstance(node, ast.Tuple):
        return [name for item in node.elts for name in _exception_names(item)]
    return [getattr(node, "attr", getattr(node, "id", ""))]
