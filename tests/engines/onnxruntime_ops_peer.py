# SPDX-License-Identifier: Apache-2.0
"""Operators on random problems in ONNX Runtime and in this project's module.

onnxruntime_ops_peer.py record FILE            with either module on sys.path
onnxruntime_ops_peer.py compare THEIRS OURS
"""

import pickle
import sys
from typing import Any, Dict, List, Tuple

import numpy as np
import onnxruntime as rt

import ops_cases_ml
import ops_cases_ms
import ops_cases_onnx
from ops_case import Case

Outcome = Tuple[str, Any]  # ("ok", outputs) or ("error", text)


def all_cases() -> List[Case]:
    made = [*ops_cases_ml.cases(), *ops_cases_ms.cases(), *ops_cases_onnx.cases()]
    names = [case.name for case in made]
    assert len(set(names)) == len(names), "two cases of one name"
    return made


def run(case: Case) -> Outcome:
    try:
        options = rt.SessionOptions()
        options.log_severity_level = 4
        session = rt.InferenceSession(case.model, options, providers=["CPUExecutionProvider"])
        return "ok", session.run(None, case.feeds)
    except Exception as problem:  # whatever either module raises is an outcome
        return "error", "%s: %s" % (type(problem).__name__, str(problem)[:300])


def record(path: str) -> None:
    outcomes = {case.name: run(case) for case in all_cases()}
    with open(path, "wb") as file:
        pickle.dump(outcomes, file)


def difference(case: Case, theirs: Any, ours: Any) -> str:
    """What is different between two values; empty if they are near enough."""
    if isinstance(theirs, list):
        if not isinstance(ours, list) or len(theirs) != len(ours):
            return "%r where %r is expected" % (ours, theirs)
        return next(filter(None, (difference(case, t, o) for t, o in zip(theirs, ours))), "")
    if isinstance(theirs, dict):
        if not isinstance(ours, dict) or list(theirs) != list(ours):
            return "%r where %r is expected" % (ours, theirs)
        return difference(case, np.array(list(theirs.values())), np.array(list(ours.values())))
    if theirs.shape != ours.shape or theirs.dtype != ours.dtype:
        kinds = (ours.dtype, ours.shape, theirs.dtype, theirs.shape)
        return "%s%s where %s%s is expected" % kinds
    if theirs.dtype.kind in "biu" and case.steps:
        apart = np.abs(theirs.astype(np.int64) - ours.astype(np.int64))
        return "" if apart.max(initial=0) <= case.steps else "%d steps apart" % apart.max()
    if theirs.dtype.kind == "f":
        near = np.isclose(ours, theirs, case.rtol, case.atol, equal_nan=True)
    else:
        near = ours == theirs
    if np.all(near):
        return ""
    at = tuple(np.argwhere(~near)[0])
    return "%s: %r where %r is expected (%d of %d)" % (
        at,
        ours[at],
        theirs[at],
        np.sum(~near),
        near.size,
    )


def farthest(case: Case, values: List[np.ndarray]) -> float:
    """From what the case's formula gives."""
    return max(np.max(np.abs(v - e)) for v, e in zip(values, case.expected))


def compare(their_path: str, our_path: str) -> int:
    with open(their_path, "rb") as file:
        theirs: Dict[str, Outcome] = pickle.load(file)
    with open(our_path, "rb") as file:
        ours: Dict[str, Outcome] = pickle.load(file)
    agreed = refused = failed = 0
    for case in all_cases():
        (their_kind, their_value), (our_kind, our_value) = theirs[case.name], ours[case.name]
        if their_kind == "error" and case.instead:
            their_kind, their_value = theirs[case.instead]
        if case.judged and their_kind == our_kind == "ok":
            far = farthest(case, their_value)
            print(
                "%s: ONNX Runtime is %.2g away, this one %.2g"
                % (case.name, far, farthest(case, our_value))
            )
            if case.peer_atol and far > case.peer_atol:
                failed += 1
                print("FAILED %s: the formula is not what ONNX Runtime computes" % case.name)
        if case.expected and (case.judged or their_kind == "error"):
            their_kind, their_value = "ok", case.expected
        if their_kind == "error":
            refused += 1
            print("no reference for %s: %s" % (case.name, their_value.replace("\n", " ")))
            continue
        if our_kind == "error":
            why = our_value
        else:
            chosen = case.compared or range(len(their_value))
            differences = (difference(case, their_value[i], our_value[i]) for i in chosen)
            why = next(filter(None, differences), "")
        if why:
            failed += 1
            print("FAILED %s: %s" % (case.name, why))
        else:
            agreed += 1
    print("%d cases agree, %d differ, %d ONNX Runtime refuses" % (agreed, failed, refused))
    return 1 if failed or agreed < 500 else 0


if __name__ == "__main__":
    if sys.argv[1] == "record":
        record(sys.argv[2])
    else:
        sys.exit(compare(*sys.argv[2:]))
