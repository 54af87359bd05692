# SPDX-License-Identifier: Apache-2.0
"""Names that are used and that nothing defines or imports."""

import ast
import builtins
import symtable

from findings import ERROR, Finding, nearest

_MODULE = {
    "__name__",
    "__file__",
    "__doc__",
    "__package__",
    "__spec__",
    "__loader__",
    "__path__",
    "__builtins__",
    "__annotations__",
    "__cached__",
    "WindowsError",
    "__debug__",
    "__class__",
}


def check(script, flow, request):
    if script.star_import or any(
        name in script.text for name in ("globals()[", "globals().update", "exec(")
    ):
        return
    known = script.module_names() | set(dir(builtins)) | _MODULE
    table = symtable.symtable(script.text, "score.py", "exec")
    known |= _global_bindings(table)
    lazy = any(
        isinstance(node, ast.ImportFrom) and node.module == "__future__"
        for node in script.tree.body
    )
    unknown = {}
    for scope in _scopes(table):
        for symbol in scope.get_symbols():
            outside = symbol.is_global() or scope.get_type() == "module"
            if outside and symbol.is_referenced() and symbol.get_name() not in known:
                unknown.setdefault(symbol.get_name(), set()).add(
                    scope.get_lineno() if scope.get_type() != "module" else 0
                )
    for name in unknown:
        uses = [
            node
            for node in ast.walk(script.tree)
            if isinstance(node, ast.Name)
            and node.id == name
            and isinstance(node.ctx, ast.Load)
            and not _in_annotation(script, node, lazy)
            and not _guarded(script, node)
            and not _bound_around(script, node)
        ]
        if uses:
            first = min(uses, key=lambda node: (node.lineno, node.col_offset))
            yield _finding(name, first, len(uses), known, flow)


def _finding(name, node, count, known, flow):
    often = "" if count == 1 else " (used %d times)" % count
    module = name in _IMPORTABLE and isinstance(node.parent, ast.Attribute)
    like = nearest(name, [other for other in known if not other.startswith("_")])
    if module:
        fix = "add at the top: import %s" % _IMPORTABLE[name]
    else:
        fix = "define it or import it" + (", or did you mean %s?" % like if like else "")
    return Finding(
        "UndefinedName",
        ERROR,
        node,
        "%s is used and never imported or defined%s: every call ends with NameError"
        % (name, often),
        fix,
    )


_IMPORTABLE = {
    "np": "numpy as np",
    "pd": "pandas as pd",
    "tf": "tensorflow as tf",
    "plt": "matplotlib.pyplot as plt",
    "rt": "onnxruntime as rt",
    "ort": "onnxruntime as ort",
}
_IMPORTABLE.update(
    {
        name: name
        for name in (
            "time",
            "json",
            "os",
            "sys",
            "re",
            "math",
            "random",
            "logging",
            "datetime",
            "base64",
            "io",
            "pickle",
            "copy",
            "uuid",
            "pathlib",
            "itertools",
            "functools",
            "collections",
            "traceback",
            "glob",
            "shutil",
            "numpy",
            "pandas",
            "onnxruntime",
            "joblib",
            "requests",
            "torch",
            "tensorflow",
            "keras",
            "sklearn",
            "scipy",
            "threading",
            "tempfile",
            "csv",
            "struct",
        )
    }
)


def _scopes(table):
    yield table
    for child in table.get_children():
        yield from _scopes(child)


def _global_bindings(table):
    """Names that functions bind after a global statement."""
    return {
        symbol.get_name()
        for scope in _scopes(table)
        for symbol in scope.get_symbols()
        if symbol.is_declared_global() and (symbol.is_assigned() or symbol.is_imported())
    }


def _in_annotation(script, node, lazy):
    below = node
    for above in script.ancestors(node):
        if isinstance(above, ast.arg) and above.annotation is below:
            return lazy
        if isinstance(above, (ast.FunctionDef, ast.AsyncFunctionDef)) and above.returns is below:
            return lazy
        if isinstance(above, ast.AnnAssign) and above.annotation is below:
            return lazy or script.function_of(above) is not None
        below = above
    return False


def _guarded(script, node):
    return "NameError" in script.handlers_around(node)


def _bound_around(script, node):
    """Whether a function around a use binds the name: a use that symtable means elsewhere."""
    for above in script.ancestors(node):
        if isinstance(above, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            arguments = above.args
            if any(isinstance(a, ast.arg) and a.arg == node.id for a in ast.walk(arguments)):
                return True
            if not isinstance(above, ast.Lambda) and any(
                isinstance(n, ast.Name) and n.id == node.id and isinstance(n.ctx, ast.Store)
                for statement in above.body
                for n in ast.walk(statement)
            ):
                return True
        if isinstance(above, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            if any(
                isinstance(n, ast.Name) and n.id == node.id
                for g in above.generators
                for n in ast.walk(g.target)
            ):
                return True
    return False
