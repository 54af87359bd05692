# SPDX-License-Identifier: Apache-2.0
"""Imports: of Python, of the files beside the script, or of a requirement."""

import ast
import pathlib
import re

import distributions
from findings import ERROR, WARNING, Finding


def check(script, flow, request):
    local = _local(request)
    wanted = {_plain(name) for name in request.requirements}
    have = distributions.with_requirements(wanted)
    unknown = [name for name in wanted if name not in distributions.KNOWN]
    seen = set()
    for node in ast.walk(script.tree):
        for dotted in _modules(node):
            name = dotted.split(".")[0]
            key = dotted if any(p.startswith(name + ".") for p in request.provided) else name
            if (
                key in seen
                or name in local
                or _provided(dotted, request)
                or _optional(script, node)
            ):
                continue
            seen.add(key)
            if key == name or not _names_it(dotted, wanted):
                yield from _look(name, dotted, node, have, unknown, request)


def _provided(dotted, request):
    """Whether every image has a module, or the package that it is a part of."""
    return any(
        dotted == name or dotted.startswith(name + ".") or name.startswith(dotted + ".")
        for name in request.provided
    )


def _names_it(dotted, wanted):
    """Whether a requirement is named after a module of a package of many, as azureml-train-core."""
    begin = "-".join(_plain(part) for part in dotted.split(".")[:2])
    return any(name.startswith(begin) for name in wanted)


def _look(name, dotted, node, have, unknown, request):
    gone = distributions.gone_from_python(dotted, request.python)
    if gone:
        yield Finding(
            "ModuleNotInPython",
            ERROR,
            node,
            "Python %d.%d has no module %s: %s" % (request.python + (dotted, gone)),
            "use its successor, or ask for another Python in the dependency file",
        )
        return
    if name in distributions.STANDARD or name == "__future__":
        return
    offers = distributions.OF_IMPORT.get(name, (name,))
    if any(_plain(offer) in have or _plain(offer.split("[")[0]) in have for offer in offers):
        return
    known = name in distributions.OF_IMPORT
    alike = [other for other in unknown if _plain(name) in other or other in _plain(name)]
    if alike or (unknown and not known):
        if alike:
            return
        yield Finding(
            "MissingRequirement",
            WARNING,
            node,
            "module %s may be missing: no requirement is known to bring it" % name,
            "add its distribution to the dependency file unless %s brings it"
            % ", ".join(sorted(unknown)),
        )
        return
    yield Finding(
        "MissingRequirement",
        ERROR,
        node,
        "module %s is imported and no requirement brings it" % name,
        "add %s to the dependency file" % offers[0],
    )


def _plain(name):
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; @]", name.strip(), maxsplit=1)[0]).lower()


def _modules(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level and node.module:
        return [node.module]
    return []


def _optional(script, node):
    return (
        {"ImportError", "ModuleNotFoundError", "Exception"} & set(script.handlers_around(node))
        or any(
            isinstance(above, ast.If) and "TYPE_CHECKING" in ast.dump(above.test)
            for above in script.ancestors(node)
        )
        or any(isinstance(above, ast.ExceptHandler) for above in script.ancestors(node))
        or script.in_main_guard(node)
    )


def _local(request):
    """Modules that the files beside the script are."""
    names = {pathlib.PurePath(request.script).stem}
    for path in request.dependencies:
        parts = pathlib.PurePath(path).parts
        if parts:
            names.add(pathlib.PurePath(parts[0]).stem)
            names.add(pathlib.PurePath(parts[-1]).stem)
            names.update(parts[:-1])
    return names
