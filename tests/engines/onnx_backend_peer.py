# SPDX-License-Identifier: Apache-2.0
"""The official runner, onnx.backend.test, over the module `onnxruntime` that is on sys.path.

onnx_backend_peer.py run FILE
onnx_backend_peer.py compare THEIRS OURS    fails unless ours passes more
"""

import collections
import json
import sys
import unittest


class Outcomes(unittest.TestResult):
    """Test names by how they ended."""

    def __init__(self):
        super().__init__()
        self.passed, self.failed = [], {}

    def addSuccess(self, test):
        self.passed.append(test.id().split(".")[-1])

    def addError(self, test, error):
        text = "%s: %s" % (error[0].__name__, " ".join(str(error[1]).split()))
        self.failed[test.id().split(".")[-1]] = text[:300]

    addFailure = addError


def run(file):
    import onnx.backend.test
    from onnxruntime.backend import backend

    runner = onnx.backend.test.BackendTest(backend.OnnxRuntimeBackend, __name__)
    runner.exclude("OnnxBackendRealModel").exclude("_cuda$")
    outcomes = Outcomes()
    runner.test_suite.run(outcomes)
    with open(file, "w") as into:
        json.dump({"passed": outcomes.passed, "failed": outcomes.failed}, into)


def compare(theirs_file, ours_file):
    with open(theirs_file) as a, open(ours_file) as b:
        theirs, ours = json.load(a), json.load(b)
    kinds = collections.Counter(text.split(":")[0] for text in ours["failed"].values())
    print(
        "official backend tests passed: %d, ONNX Runtime %d"
        % (len(ours["passed"]), len(theirs["passed"]))
    )
    print("failed here: %s" % dict(kinds))
    for name, text in sorted(ours["failed"].items()):
        if not text.startswith("NotImplemented"):
            print("  %s: %s" % (name, text[:160]))
    worse = sorted(set(theirs["passed"]) & set(ours["failed"]))
    print(
        "passed there alone: %d; here alone: %d"
        % (len(worse), len(set(ours["passed"]) & set(theirs["failed"])))
    )
    assert len(ours["passed"]) > len(theirs["passed"]) > 1000


if __name__ == "__main__":
    {"run": run, "compare": compare}[sys.argv[1]](*sys.argv[2:])
