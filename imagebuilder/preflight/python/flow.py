# SPDX-License-Identifier: Apache-2.0
"""What values the expressions of a script can be, as far as it can be told without running it.

A kind is a tuple whose first item names it; an expression has a set of kinds. The script is
followed statement by statement: branches are merged, loops passed twice, calls of the script's own
functions join their parameters and returns. What is not known is UNKNOWN, and a check says only
what holds for every kind of the set, so that nothing is reported which might be right.
"""

import ast

import kinds as k
from kinds import UNKNOWN

_STEPS = 60000  # statements followed, at most
_ROUNDS = 4  # until globals, parameters and returns of functions are settled


class TooComplex(Exception):
    """There are more ways through the script than can be followed."""


class Flow:
    """`kinds[node]` are the kinds of an expression, joined over all ways that reach it."""

    def __init__(self, script, request):
        self.script, self.request = script, request
        self.imports = _imports(script.tree)
        self.globals, self.attributes, self.parameters, self.returns = {}, {}, {}, {}
        self.feeds = []  # items of dict literals: [(key node, value node)]
        self._feed_of = {}
        self.escaping, self.steps = _escaping(script), 0
        for self.round in range(_ROUNDS):
            self.kinds = {}
            self._run(script.tree.body, {}, None)
            for node in ast.walk(script.tree):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    self._function(node)

    def of(self, node):
        """Kinds of an expression; empty where nothing reaches it."""
        return self.kinds.get(node, frozenset())

    def all_are(self, node, *names):
        """Whether an expression is one of these kinds whatever way is taken."""
        found = self.of(node)
        return bool(found) and all(kind[0] in names for kind in found)

    def dotted(self, node):
        """`numpy.array` for `np.array`; empty where the expression is no name of a module."""
        found = self.of(node)
        if len(found) == 1:
            [kind] = found
            if kind[0] == "module":
                return kind[1]
        return ""

    # ---- functions ----

    def _function(self, node):
        own = self.script.functions.get(node.name) is node
        environment = {}
        arguments = node.args
        for argument in (
            getattr(arguments, "posonlyargs", []) + arguments.args + arguments.kwonlyargs
        ):
            known = self.parameters.get((node, argument.arg))
            open_to_all = not own or node.name in self.escaping or not known
            environment[argument.arg] = frozenset([UNKNOWN]) if open_to_all else known
        for argument in (arguments.vararg, arguments.kwarg):
            if argument:
                environment[argument.arg] = frozenset([UNKNOWN])
        names = {
            name for item in ast.walk(node) if isinstance(item, ast.Global) for name in item.names
        }
        self._run(node.body, environment, (node, names))

    def _call_own(self, name, call):
        node = self.script.functions[name]
        arguments = getattr(node.args, "posonlyargs", []) + node.args.args
        starred = any(isinstance(a, ast.Starred) for a in call.args) or any(
            w.arg is None for w in call.keywords
        )
        given = dict(zip((a.arg for a in arguments), call.args))
        given.update({word.arg: word.value for word in call.keywords})
        for argument in arguments + node.args.kwonlyargs:
            value = given.get(argument.arg)
            found = self.of(value) if value is not None and not starred else frozenset([UNKNOWN])
            key = (node, argument.arg)
            self.parameters[key] = self.parameters.get(key, frozenset()) | found
        if node.decorator_list or isinstance(node, ast.AsyncFunctionDef) or _yields(node):
            return frozenset([UNKNOWN])
        return self.returns.get(node) or (
            frozenset() if self.round < _ROUNDS - 1 else frozenset([k.NONE])
        )

    # ---- statements ----

    def _run(self, body, environment, scope):
        for statement in body:
            self._statement(statement, environment, scope)

    def _statement(self, node, env, scope):
        self.steps += 1
        if self.steps > _STEPS:
            raise TooComplex
        name = "_do_" + type(node).__name__
        if hasattr(self, name):
            getattr(self, name)(node, env, scope)
            return
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self._eval(child, env)

    def _do_FunctionDef(self, node, env, scope):
        if scope is not None or self.script.functions.get(node.name) is not node:
            env[node.name] = frozenset([UNKNOWN])
        for item in (
            node.decorator_list + node.args.defaults + [d for d in node.args.kw_defaults if d]
        ):
            self._eval(item, env)

    _do_AsyncFunctionDef = _do_FunctionDef

    def _do_ClassDef(self, node, env, scope):
        env[node.name] = frozenset([UNKNOWN])
        self._run(
            [s for s in node.body if not isinstance(s, (ast.FunctionDef, ast.AsyncFunctionDef))],
            dict(env),
            scope,
        )

    def _do_Import(self, node, env, scope):
        for alias in node.names:
            env.pop((alias.asname or alias.name).split(".")[0], None)

    _do_ImportFrom = _do_Import

    def _do_Return(self, node, env, scope):
        found = self._eval(node.value, env) if node.value else frozenset([k.NONE])
        if scope:
            self.returns[scope[0]] = self.returns.get(scope[0], frozenset()) | found

    def _do_Assign(self, node, env, scope):
        found = self._eval(node.value, env)
        for target in node.targets:
            self._bind(target, found, env, scope)

    def _do_AnnAssign(self, node, env, scope):
        if node.value:
            self._bind(node.target, self._eval(node.value, env), env, scope)

    def _do_AugAssign(self, node, env, scope):
        self._eval(node.value, env)
        before = (
            self._eval(node.target, env)
            if not isinstance(node.target, ast.Name)
            else self._name(node.target.id, env)
        )
        self._bind(node.target, k.arithmetic(before, self.of(node.value), node.op), env, scope)

    def _do_If(self, node, env, scope):
        self._eval(node.test, env)
        other = dict(env)
        self._run(node.body, env, scope)
        self._run(node.orelse, other, scope)
        if _leaves(node.body):
            env.clear()
            env.update(other)
        elif not _leaves(node.orelse):
            _merge(env, other)

    def _do_For(self, node, env, scope):
        found = self._eval(node.iter, env)
        before = dict(env)
        for _ in range(2):
            self._bind(node.target, k.items(found), env, scope)
            self._run(node.body, env, scope)
            _merge(env, before)
        self._run(node.orelse, env, scope)

    _do_AsyncFor = _do_For

    def _do_While(self, node, env, scope):
        before = dict(env)
        for _ in range(2):
            self._eval(node.test, env)
            self._run(node.body, env, scope)
            _merge(env, before)
        self._run(node.orelse, env, scope)

    def _do_With(self, node, env, scope):
        for item in node.items:
            self._eval(item.context_expr, env)
            if item.optional_vars:
                self._bind(item.optional_vars, frozenset([UNKNOWN]), env, scope)
        self._run(node.body, env, scope)

    _do_AsyncWith = _do_With

    def _do_Try(self, node, env, scope):
        before = dict(env)
        self._run(node.body, env, scope)
        thrown = dict(env)
        _merge(thrown, before)
        self._run(node.orelse, env, scope)
        ways = [] if _leaves(node.body + node.orelse) else [dict(env)]
        for handler in node.handlers:
            way = dict(thrown)
            if handler.name:
                way[handler.name] = frozenset([UNKNOWN])
            self._run(handler.body, way, scope)
            if not _leaves(handler.body):
                ways.append(way)
        if ways:
            env.clear()
            env.update(ways[0])
            for way in ways[1:]:
                _merge(env, way)
        self._run(node.finalbody, env, scope)

    def _do_Match(self, node, env, scope):
        self._eval(node.subject, env)
        before = dict(env)
        for case in node.cases:
            way = dict(before)
            for item in ast.walk(case.pattern):
                for name in (getattr(item, "name", None), getattr(item, "rest", None)):
                    if isinstance(name, str):
                        way[name] = frozenset([UNKNOWN])
            self._run(case.body, way, scope)
            _merge(env, way)

    # ---- names ----

    def _bind(self, target, found, env, scope):
        if isinstance(target, ast.Name):
            name = target.id
            if scope is None or name in scope[1]:
                self.globals[name] = self.globals.get(name, frozenset()) | found
            env[name] = found
        elif isinstance(target, (ast.Tuple, ast.List)):
            for item in target.elts:
                self._bind(
                    item.value if isinstance(item, ast.Starred) else item,
                    frozenset([UNKNOWN]) if isinstance(item, ast.Starred) else k.items(found),
                    env,
                    scope,
                )
        elif isinstance(target, ast.Attribute):
            self._eval(target.value, env)
            self.attributes[target.attr] = self.attributes.get(target.attr, frozenset()) | found
        elif isinstance(target, ast.Subscript):
            self._eval(target.value, env)
            self._eval(target.slice, env)
            if isinstance(target.value, ast.Name) and any(
                kind[0] == "dict" for kind in self._name(target.value.id, env)
            ):
                self._bind(target.value, frozenset([("dict", False, -1)]), env, scope)

    def _name(self, name, env):
        if name in env:
            return env[name]
        if name in self.globals:
            # A `None` that a module begins with is not what requests see.
            found = frozenset(kind for kind in self.globals[name] if kind != k.NONE)
            return found or self.globals[name]
        if name in self.script.functions:
            return frozenset([("function", name)])
        if name in self.imports:
            return frozenset([("module", self.imports[name])])
        if self.script.star_import or name in self.script.module_names():
            return frozenset([UNKNOWN])
        return frozenset([("builtin", name)])

    # ---- expressions ----

    def _eval(self, node, env):
        if node is None:
            return frozenset()
        found = self._value(node, env)
        self.kinds[node] = self.kinds.get(node, frozenset()) | found
        return found

    def _value(self, node, env):
        name = "_of_" + type(node).__name__
        if hasattr(self, name):
            return getattr(self, name)(node, env)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self._eval(child, env)
        return frozenset([UNKNOWN])

    def _of_Name(self, node, env):
        return self._name(node.id, env)

    def _of_Constant(self, node, env):
        return frozenset([k.constant(node.value)])

    def _of_Index(self, node, env):  # Python 3.8's wrapper of a subscript
        return self._eval(node.value, env)

    def _of_JoinedStr(self, node, env):
        for value in node.values:
            if isinstance(value, ast.FormattedValue):
                self._eval(value.value, env)
        return frozenset([("str", None)])

    def _of_List(self, node, env):
        found = [self._eval(item, env) for item in node.elts]
        bad = any(k.unserializable(kinds) for kinds in found)
        return frozenset([("list", bad, bool(found) and all(k.plain(kinds) for kinds in found))])

    _of_Tuple = _of_List

    def _of_Set(self, node, env):
        for item in node.elts:
            self._eval(item, env)
        return frozenset([("set",)])

    def _of_Dict(self, node, env):
        pairs = [(key, value) for key, value in zip(node.keys, node.values)]
        found = []
        for key, value in pairs:
            self._eval(key, env)
            found.append(self._eval(value, env))
        if node not in self._feed_of:
            self._feed_of[node] = len(self.feeds)
            self.feeds.append(pairs)
        return frozenset(
            [("dict", any(k.unserializable(kinds) for kinds in found), self._feed_of[node])]
        )

    def _of_IfExp(self, node, env):
        self._eval(node.test, env)
        return self._eval(node.body, env) | self._eval(node.orelse, env)

    def _of_BoolOp(self, node, env):
        return frozenset().union(*[self._eval(value, env) for value in node.values])

    def _of_Compare(self, node, env):
        operands = [self._eval(item, env) for item in [node.left] + node.comparators]
        arrays = any(
            kind[0] in ("array", "unknown", "results", "output")
            for kinds in operands
            for kind in kinds
        )
        return frozenset([UNKNOWN if arrays else ("number",)])

    def _of_BinOp(self, node, env):
        return k.arithmetic(self._eval(node.left, env), self._eval(node.right, env), node.op)

    def _of_UnaryOp(self, node, env):
        found = self._eval(node.operand, env)
        return frozenset([("number",)]) if isinstance(node.op, ast.Not) else found

    def _of_NamedExpr(self, node, env):
        found = self._eval(node.value, env)
        env[node.target.id] = found
        return found

    def _of_Lambda(self, node, env):
        inner = dict(env)
        for argument in ast.walk(node.args):
            if isinstance(argument, ast.arg):
                inner[argument.arg] = frozenset([UNKNOWN])
        self._eval(node.body, inner)
        return frozenset([UNKNOWN])

    def _comprehension(self, node, env):
        inner = dict(env)
        for generator in node.generators:
            found = self._eval(generator.iter, inner)
            self._bind(generator.target, k.items(found), inner, (None, ()))
            for test in generator.ifs:
                self._eval(test, inner)
        return inner

    def _of_ListComp(self, node, env):
        found = self._eval(node.elt, self._comprehension(node, env))
        return frozenset([("list", k.unserializable(found), k.plain(found))])

    def _of_GeneratorExp(self, node, env):
        self._eval(node.elt, self._comprehension(node, env))
        return frozenset([UNKNOWN])

    def _of_SetComp(self, node, env):
        self._eval(node.elt, self._comprehension(node, env))
        return frozenset([("set",)])

    def _of_DictComp(self, node, env):
        inner = self._comprehension(node, env)
        self._eval(node.key, inner)
        return frozenset([("dict", k.unserializable(self._eval(node.value, inner)), -1)])

    def _of_Subscript(self, node, env):
        found = self._eval(node.value, env)
        index = self._eval(node.slice, env) if not isinstance(node.slice, ast.Slice) else None
        return frozenset(k.subscript(kind, index, self.request) for kind in found)

    def _of_Attribute(self, node, env):
        found = self._eval(node.value, env)
        made = set()
        for kind in found:
            if kind[0] == "module":
                made.add(("module", kind[1] + "." + node.attr))
            elif kind[0] == "port" and node.attr == "name":
                made.add(("portname",) + kind[1:])
            elif node.attr in self.attributes and kind == UNKNOWN:
                made |= {kind for kind in self.attributes[node.attr] if kind != k.NONE} or {UNKNOWN}
            else:
                made.add(("attribute", kind, node.attr))
        return frozenset(made)

    def _of_Call(self, node, env):
        functions = self._eval(node.func, env)
        for argument in node.args:
            self._eval(argument.value if isinstance(argument, ast.Starred) else argument, env)
        for word in node.keywords:
            self._eval(word.value, env)
        made = set()
        for function in functions:
            if function[0] == "function":
                made |= self._call_own(function[1], node)
            else:
                made.add(k.call(function, node, self))
        return frozenset(made)


def _imports(tree):
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = "%s.%s" % (node.module, alias.name)
    return names


def _escaping(script):
    """Functions of the module that somebody else may call: passed on, decorated, init and run."""
    names = {"init", "run"}
    for node in ast.walk(script.tree):
        if isinstance(node, ast.Name) and node.id in script.functions:
            if not (isinstance(node.parent, ast.Call) and node.parent.func is node):
                names.add(node.id)
    return names | {name for name, node in script.functions.items() if node.decorator_list}


def _yields(node):
    return any(isinstance(item, (ast.Yield, ast.YieldFrom)) for item in ast.walk(node))


def _leaves(body):
    """Whether no way goes on after these statements."""
    return bool(body) and isinstance(body[-1], (ast.Return, ast.Raise, ast.Continue, ast.Break))


def _merge(env, other):
    """Joins what is known on two ways; what is known on one only may also be a global."""
    for name in set(env) | set(other):
        env[name] = env.get(name, frozenset()) | other.get(name, frozenset())
