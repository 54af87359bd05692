# SPDX-License-Identifier: Apache-2.0
"""Random problems for the operators of ai.onnx.ml.

Left out is what ONNX Runtime does against the standard or its reference evaluator: a transform that
it leaves away for one target, base values of targets that no leaf has a weight for, labels of
two-class forests whose leaves have weights for both, NaN as a key, members of sets that are not
small integers, and types it has no kernel for.
"""

from typing import Any, Dict, Iterator, List

import numpy as np
import onnx
from onnx import TensorProto as T
from onnx import helper as h

from ops_case import Case, case_of, random_of

ML = "ai.onnx.ml"
MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]


class Forest:
    """Random trees in the lists of TreeEnsembleRegressor."""

    def __init__(self, random, trees, depth, features, modes, missing=False):
        self.random, self.features, self.modes, self.missing = random, features, modes, missing
        self.lists: Dict[str, List[Any]] = {
            key: []
            for key in (
                "treeids nodeids featureids modes values truenodeids falsenodeids "
                "missing_value_tracks_true"
            ).split()
        }
        self.leaves = []
        for tree in range(trees):
            self.next = 0
            self.grow(tree, depth)

    def grow(self, tree: int, depth: int) -> int:
        own, self.next = self.next, self.next + 1
        at = len(self.lists["treeids"])
        for values in self.lists.values():
            values.append(0)
        self.lists["treeids"][at] = tree
        self.lists["nodeids"][at] = own
        self.lists["values"][at] = 0.0
        if depth == 0 or self.random.random() < 0.15:
            self.lists["modes"][at] = "LEAF"
            self.leaves.append((tree, own))
            return own
        self.lists["modes"][at] = str(self.random.choice(self.modes))
        self.lists["featureids"][at] = int(self.random.integers(self.features))
        self.lists["values"][at] = float(np.round(self.random.normal(), 1).astype(np.float32))
        if self.missing:
            self.lists["missing_value_tracks_true"][at] = int(self.random.integers(2))
        self.lists["truenodeids"][at] = self.grow(tree, depth - 1)
        self.lists["falsenodeids"][at] = self.grow(tree, depth - 1)
        return own

    def attributes(self, prefix: str, targets: List[int], weight, every=False) -> Dict[str, Any]:
        """The node lists, and weights of each leaf for one of the targets or for `every` one."""
        made = {"nodes_" + key: values for key, values in self.lists.items()}
        several = every or self.random.random() < 0.5
        for key in ("treeids", "nodeids", "ids", "weights"):
            made["%s_%s" % (prefix, key)] = []
        for tree, node in self.leaves:
            for target in targets if several else [targets[self.random.integers(len(targets))]]:
                made[prefix + "_treeids"].append(tree)
                made[prefix + "_nodeids"].append(node)
                made[prefix + "_ids"].append(int(target))
                made[prefix + "_weights"].append(float(weight()))
        return made


def examples(random, rows, features, dtype=np.float32, missing=False):
    """Numbers on the grid of the thresholds, so that equality happens."""
    x = np.round(random.normal(size=(rows, features)), 1).astype(dtype)
    if missing:
        x[random.random(x.shape) < 0.2] = np.nan
    return x


def regressors() -> Iterator[Case]:
    for aggregate in ("SUM", "AVERAGE", "MIN", "MAX"):
        for targets in (1, 3):
            for missing in (False, True):
                name = "regressor %s %d %s" % (aggregate, targets, missing)
                random = random_of(name)
                forest = Forest(random, 19, 5, 6, MODES[:4] if missing else MODES, missing)
                ids = list(range(targets))
                attributes = forest.attributes("target", ids, random.normal, every=True)
                attributes.update(n_targets=targets, aggregate_function=aggregate)
                if targets == 3:
                    attributes["base_values"] = [0.5, -0.25, 1.0]
                x = examples(random, 41, 6, missing=missing)
                yield case_of(
                    name, "TreeEnsembleRegressor", {"x": x}, 1, ML, 1, attributes=attributes
                )
    for transform in ("LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"):
        name = "regressor " + transform
        random = random_of(name)
        attributes = Forest(random, 5, 3, 4, MODES).attributes("target", [0, 1, 2], random.normal)
        attributes.update(n_targets=3, post_transform=transform)
        x = examples(random, 17, 4)
        yield case_of(name, "TreeEnsembleRegressor", {"x": x}, 1, ML, 3, attributes=attributes)
    name = "regressor double thresholds"
    random = random_of(name)
    attributes = Forest(random, 11, 6, 4, MODES[:4]).attributes("target", [0], random.normal)
    attributes["nodes_values_as_tensor"] = h.make_tensor(
        "v", T.DOUBLE, [len(attributes["nodes_values"])], attributes.pop("nodes_values")
    )
    attributes["target_weights_as_tensor"] = h.make_tensor(
        "w", T.DOUBLE, [len(attributes["target_weights"])], attributes.pop("target_weights")
    )
    attributes["n_targets"] = 1
    x = examples(random, 33, 4, np.float64)
    yield case_of(name, "TreeEnsembleRegressor", {"x": x}, 1, ML, 3, attributes=attributes)


def classifiers() -> Iterator[Case]:
    for transform in ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"):
        for dtype in (np.float32, np.float64, np.int64, np.int32):
            name = "classifier %s %s" % (transform, np.dtype(dtype).name)
            random = random_of(name)
            forest = Forest(random, 23, 5, 5, MODES)
            attributes = forest.attributes("class", [0, 1, 2, 3], random.random)
            attributes.update(classlabels_strings=["a", "b", "c", "d"], post_transform=transform)
            x = (examples(random, 37, 5, np.float64) * 3).astype(dtype)
            yield case_of(name, "TreeEnsembleClassifier", {"x": x}, 2, ML, 1, attributes=attributes)
    for transform, weight in (("NONE", "any"), ("NONE", "positive"), ("LOGISTIC", "any")):
        name = "binary %s %s" % (transform, weight)
        random = random_of(name)
        draw = random.normal if weight == "any" else lambda r=random: r.random() / 12
        attributes = Forest(random, 14, 4, 5, MODES[:2]).attributes("class", [0], draw)
        attributes.update(classlabels_int64s=[3, 9], post_transform=transform, base_values=[0.1])
        x = examples(random, 37, 5)
        yield case_of(name, "TreeEnsembleClassifier", {"x": x}, 2, ML, 1, attributes=attributes)


def ensembles() -> Iterator[Case]:
    """TreeEnsemble 5, with set membership."""
    for dtype, member in ((np.float32, False), (np.float64, False), (np.float32, True)):
        name = "ensemble %s %s" % (np.dtype(dtype).name, member)
        random = random_of(name)
        lists = {key: [] for key in ("features", "modes", "splits", "true", "false", "tl", "fl")}
        leaves, roots, members = [], [], []

        def grow(depth):
            if depth == 0:
                leaves.append((int(random.integers(2)), float(random.normal())))
                return len(leaves) - 1, 1
            at = len(lists["features"])
            for values in lists.values():
                values.append(0)
            mode = 6 if member and random.random() < 0.4 else int(random.integers(6))
            lists["features"][at] = int(random.integers(3))
            lists["modes"][at] = mode
            lists["splits"][at] = float(np.round(random.normal(), 1))
            if mode == 6:
                members.extend(float(v) for v in random.integers(1, 9, 4))
                members.append(float("nan"))
            lists["true"][at], lists["tl"][at] = grow(depth - 1)
            lists["false"][at], lists["fl"][at] = grow(depth - 1)
            return at, 0

        for _ in range(5):
            roots.append(grow(3)[0])
        number = T.FLOAT if dtype == np.float32 else T.DOUBLE
        attributes = {
            "nodes_featureids": lists["features"],
            "nodes_modes": h.make_tensor("m", T.UINT8, [len(lists["modes"])], lists["modes"]),
            "nodes_splits": h.make_tensor("s", number, [len(lists["splits"])], lists["splits"]),
            "nodes_truenodeids": lists["true"],
            "nodes_falsenodeids": lists["false"],
            "nodes_trueleafs": lists["tl"],
            "nodes_falseleafs": lists["fl"],
            "leaf_targetids": [target for target, _ in leaves],
            "leaf_weights": h.make_tensor("w", number, [len(leaves)], [w for _, w in leaves]),
            "tree_roots": roots,
            "n_targets": 2,
        }
        if member:
            attributes["membership_values"] = h.make_tensor("v", number, [len(members)], members)
        x = examples(random, 29, 3, dtype)
        if member:
            x = random.integers(0, 9, (29, 3)).astype(dtype)
        yield case_of(name, "TreeEnsemble", {"x": x}, 1, ML, 5, attributes=attributes)


def linear() -> Iterator[Case]:
    for transform in ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"):
        for classes in (2, 3):
            name = "linear %s %d" % (transform, classes)
            random = random_of(name)
            attributes = {
                "coefficients": [float(v) for v in random.normal(size=classes * 4)],
                "intercepts": [float(v) for v in random.normal(size=classes)],
                "classlabels_strings": ["x", "y", "z"][:classes],
                "post_transform": transform,
            }
            x = random.normal(size=(9, 4)).astype(np.float32)
            yield case_of(name, "LinearClassifier", {"x": x}, 2, ML, attributes=attributes)
            attributes.pop("classlabels_strings")
            attributes["targets"] = classes
            name = "linear regressor %s %d" % (transform, classes)
            yield case_of(name, "LinearRegressor", {"x": x}, 1, ML, attributes=attributes)
    for transform in ("NONE", "LOGISTIC"):
        name = "linear one row " + transform
        random = random_of(name)
        attributes = {
            "coefficients": [float(v) for v in random.normal(size=4)],
            "intercepts": [0.25],
            "classlabels_ints": [4, 7],
            "post_transform": transform,
        }
        for dtype in (np.float32, np.float64, np.int64, np.int32):
            x = (random.normal(size=(9, 4)) * 3).astype(dtype)
            yield case_of(
                "%s %s" % (name, np.dtype(dtype).name),
                "LinearClassifier",
                {"x": x},
                2,
                ML,
                attributes=attributes,
            )


def machines() -> Iterator[Case]:
    for kernel in ("LINEAR", "POLY", "RBF", "SIGMOID"):
        for classes in (2, 4):
            for probable in (False, True):
                name = "svm %s %d %s" % (kernel, classes, probable)
                random = random_of(name)
                per_class = [int(v) for v in random.integers(1, 4, size=classes)]
                vectors, pairs = sum(per_class), classes * (classes - 1) // 2
                attributes = {
                    "kernel_type": kernel,
                    "kernel_params": [0.3, 0.2, 3.0],
                    "vectors_per_class": per_class,
                    "support_vectors": [float(v) for v in random.normal(size=vectors * 3)],
                    "coefficients": [float(v) for v in random.normal(size=vectors * (classes - 1))],
                    "rho": [float(v) for v in random.normal(size=pairs)],
                    "classlabels_ints": [5, 2, 8, 1][:classes],
                }
                if probable:
                    attributes["prob_a"] = [float(-v) for v in random.random(pairs) + 0.5]
                    attributes["prob_b"] = [float(v) for v in random.normal(size=pairs)]
                x = random.normal(size=(11, 3)).astype(np.float32)
                yield case_of(
                    name, "SVMClassifier", {"x": x}, 2, ML, attributes=attributes, atol=1e-4
                )
        name = "svr " + kernel
        random = random_of(name)
        for one_class in (0, 1):
            attributes = {
                "kernel_type": kernel,
                "kernel_params": [0.3, 0.2, 3.0],
                "n_supports": 5,
                "support_vectors": [float(v) for v in random.normal(size=15)],
                "coefficients": [float(v) for v in random.normal(size=5)],
                "rho": [0.3],
                "one_class": one_class,
            }
            x = random.normal(size=(11, 3)).astype(np.float32)
            yield case_of(
                "%s %d" % (name, one_class), "SVMRegressor", {"x": x}, 1, ML, attributes=attributes
            )


def plain(op, inputs, attributes=None, version=1, **near) -> Case:
    """A case of one output, named after what is in it."""
    words = ["%s=%s" % item for item in sorted((attributes or {}).items())]
    kinds = ["%s%s" % (v.dtype, list(v.shape)) for v in inputs.values()]
    name = " ".join([op, *words, *kinds]).replace("\n", " ")
    return case_of(name, op, inputs, 1, ML, version, attributes=attributes, **near)


def scaling() -> Iterator[Case]:
    random = random_of("scaling")
    for dtype in (np.float32, np.float64, np.int64, np.int32):
        x = (random.normal(size=(5, 3)) * 4).astype(dtype)
        for norm in ("MAX", "L1", "L2"):
            yield plain("Normalizer", {"x": x}, {"norm": norm})
        yield plain("Scaler", {"x": x}, {"scale": [2.0, 0.5, -1.0], "offset": [1.0, 0.0, 3.0]})
        yield plain("Scaler", {"x": x}, {"scale": [2.0], "offset": [1.0]})
    x = np.array([[1, np.nan, 3], [np.nan, 2, 1]], np.float32)
    nan = float("nan")
    values = {"imputed_value_floats": [7.0, 8.0, 9.0], "replaced_value_float": nan}
    yield plain("Imputer", {"x": x}, values)
    yield plain("Imputer", {"x": x}, {"imputed_value_floats": [7.0], "replaced_value_float": 1.0})
    values = {"imputed_value_int64s": [7, 8, 9], "replaced_value_int64": 1}
    yield plain("Imputer", {"x": np.array([[1, 1, 2]], np.int64)}, values)
    yield plain(
        "Binarizer", {"x": random.normal(size=(4, 3)).astype(np.float32)}, {"threshold": 0.2}
    )


def encoding() -> Iterator[Case]:
    text = np.array(["a", "bb", "other", "ü"], object)
    whole = np.array([[4, 5], [9, 4]], np.int64)
    yield plain("LabelEncoder", {"x": text}, {"classes_strings": ["ü", "a", "bb"]})
    yield plain(
        "LabelEncoder", {"x": np.array([0, 2, 5], np.int64)}, {"classes_strings": ["ü", "a", "bb"]}
    )
    pairs = {
        "strings": (text, ["a", "ü", "bb"]),
        "int64s": (whole, [9, 4, 6]),
        "floats": (np.array([0.5, -1, 8], np.float32), [8.0, 0.5, 2.0]),
    }
    for keys, (x, given) in pairs.items():
        for values, (_, results) in pairs.items():
            attributes = {"keys_" + keys: given, "values_" + values: results}
            yield plain("LabelEncoder", {"x": x}, attributes, 2)
            attributes.update(default_string="none", default_int64=77, default_float=2.5)
            yield plain("LabelEncoder", {"x": x}, attributes, 4)
    categories = {"cats_strings": ["a", "bb", "ü"], "cats_int64s": [4, 9, 1]}
    yield plain("CategoryMapper", {"x": text}, categories)
    yield plain("CategoryMapper", {"x": whole}, dict(categories, default_string="none"))
    yield plain("OneHotEncoder", {"x": text}, {"cats_strings": ["a", "ü"]})
    for dtype in (np.int64, np.float32, np.float64):
        yield plain("OneHotEncoder", {"x": whole.astype(dtype)}, {"cats_int64s": [9, 4, 1]})


def features() -> Iterator[Case]:
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    for data in (x, x[0], x[0, 0], x.astype(np.int64), x.astype(np.int32), x.astype(np.float64)):
        for chosen in ([2], [[3, 0]], [1, 1, 2]):
            yield plain("ArrayFeatureExtractor", {"x": data, "i": np.array(chosen, np.int64)})
    text = np.array([["a", "b"], ["c", "d"]], object)
    yield plain("ArrayFeatureExtractor", {"x": text, "i": np.array([1], np.int64)})
    for dims in ([4, 3], [2, 5]):
        inputs = {"a": x[0], "b": x[1, :, :3]}
        yield plain("FeatureVectorizer", inputs, {"inputdimensions": dims})
    yield plain("FeatureVectorizer", {"a": x[0, 0], "b": x[1, 0]}, {"inputdimensions": [4, 4]})


def map_type(key: int, value: int) -> onnx.TypeProto:
    made = onnx.TypeProto()
    made.map_type.key_type = key
    made.map_type.value_type.tensor_type.elem_type = value
    return made


def maps() -> Iterator[Case]:
    x = random_of("maps").random((3, 3)).astype(np.float32)
    for labels in ({"classlabels_int64s": [5, 2, 9]}, {"classlabels_strings": ["c", "a", "b"]}):
        yield plain("ZipMap", {"x": x}, labels)
        yield plain("ZipMap", {"x": x[0]}, labels)
    by_text, by_number = {"c": 2.5, "a": 1.0, "q": 3.0}, {3: 1.5, 1: -2.5}
    cases = [
        ("DictVectorizer", {"string_vocabulary": ["a", "b", "c"]}, by_text, T.STRING),
        ("DictVectorizer", {"int64_vocabulary": [1, 2, 3]}, by_number, T.INT64),
        ("CastMap", {}, by_number, T.INT64),
        ("CastMap", {"map_form": "SPARSE", "max_map": 5}, by_number, T.INT64),
        ("CastMap", {"cast_to": "TO_STRING"}, by_number, T.INT64),
        ("CastMap", {"cast_to": "TO_INT64"}, by_number, T.INT64),
    ]
    for number, (op, attributes, value, key) in enumerate(cases):
        yield case_of(
            "%s %d" % (op, number),
            op,
            {"x": value},
            1,
            ML,
            types={"x": map_type(key, T.FLOAT)},
            attributes=attributes,
        )


def cases() -> Iterator[Case]:
    for make in (
        regressors,
        classifiers,
        ensembles,
        linear,
        machines,
        scaling,
        encoding,
        features,
        maps,
    ):
        yield from make()
