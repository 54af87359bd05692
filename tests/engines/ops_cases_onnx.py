# SPDX-License-Identifier: Apache-2.0
"""Random problems for operators of ai.onnx that the official tests touch lightly."""

from typing import Any, Iterator, List, Optional

import numpy as np

from ops_case import Case, case_of

RANDOM = np.random.RandomState(5)


def normal(*shape):
    return RANDOM.randn(*shape).astype(np.float32)


def uniform(low, high, *shape):
    return RANDOM.uniform(low, high, shape).astype(np.float32)


def ints(*values):
    return np.array(values, np.int64)


def scalar(value, dtype=np.int64):
    return np.array(value, dtype)


def texts(*values):
    return np.array(values, object)


class Cases:
    """Collects cases; called once for each."""

    def __init__(self) -> None:
        self.made: List[Case] = []

    def __call__(
        self,
        op: str,
        opset: int,
        inputs: List[Optional[np.ndarray]],
        outputs: int = 1,
        **attributes: Any,
    ) -> None:
        # Its transforms of lengths that are no powers of two are the less exact ones.
        near = {"rtol": 1e-3, "atol": 1e-3 if op in ("DFT", "STFT") else 1e-5}
        named = {"i%d" % at: value for at, value in enumerate(inputs)}
        name = "%s %03d" % (op, len(self.made))
        self.made.append(case_of(name, op, named, outputs, "", opset, (), None, attributes, **near))


def regions(write):
    for pooled in ([2, 3], [1, 1], [7, 7]):
        for scale in (1.0, 0.5, 0.0625):
            corners = [RANDOM.randint(0, 2, (5, 1)), RANDOM.randint(0, 12, (5, 2))]
            corners.append(RANDOM.randint(8, 30, (5, 2)))
            rois = np.concatenate(corners, 1).astype(np.float32)
            write("MaxRoiPool", 1, [normal(2, 3, 11, 13), rois], pooled_shape=pooled,
                  spatial_scale=scale)  # fmt: skip
    for opset, modes in ((10, [None]), (16, ["half_pixel", "output_half_pixel"])):
        for mode in ("avg", "max"):
            for sampling in (0, 2, 3):
                for coordinates in modes:
                    more = {"coordinate_transformation_mode": coordinates} if coordinates else {}
                    rois = np.concatenate([uniform(-4, 8, 4, 2), uniform(6, 22, 4, 2)], 1)
                    write("RoiAlign", opset, [normal(2, 2, 9, 10), rois, ints(0, 1, 1, 0)],
                          mode=mode, sampling_ratio=sampling, spatial_scale=0.7, output_height=3,
                          output_width=4, **more)  # fmt: skip
    for center in (0, 1):
        for _ in range(3):
            scores = uniform(0, 1, 2, 3, 30)
            limits = [ints(8), scalar([0.3], np.float32), scalar([0.2], np.float32)]
            write("NonMaxSuppression", 11, [uniform(0, 10, 2, 30, 4), scores] + limits,
                  center_point_box=center)  # fmt: skip
            limits = [ints(30), scalar([0.5], np.float32)]
            write("NonMaxSuppression", 10, [uniform(0, 10, 2, 30, 4), np.round(scores, 1)] + limits,
                  center_point_box=center)  # fmt: skip


def sampling(write):
    for padding in ("zeros", "border", "reflection"):
        for corners in (0, 1):
            same = {"padding_mode": padding, "align_corners": corners}
            for mode in ("bilinear", "nearest", "bicubic"):
                inputs = [normal(2, 2, 5, 6), uniform(-2.5, 2.5, 2, 4, 5, 2)]
                write("GridSample", 16, inputs, mode=mode, **same)
            for mode in ("linear", "nearest", "cubic"):
                inputs = [normal(1, 2, 5, 6), uniform(-2.5, 2.5, 1, 4, 5, 2)]
                write("GridSample", 20, inputs, mode=mode, **same)
            for mode in ("linear", "nearest"):
                inputs = [normal(1, 2, 4, 5, 3), uniform(-1.8, 1.8, 1, 3, 4, 2, 3)]
                write("GridSample", 20, inputs, mode=mode, **same)
    for corners in (0, 1):
        write("AffineGrid", 20, [normal(2, 2, 3), ints(2, 3, 4, 5)], align_corners=corners)
        write("AffineGrid", 20, [normal(1, 3, 4), ints(1, 3, 2, 4, 5)], align_corners=corners)
    for group, offsets, strides, pads, dilations in (
        (1, 1, [1, 1], [0, 0, 0, 0], [1, 1]),
        (2, 1, [2, 1], [1, 1, 1, 1], [1, 1]),
        (2, 2, [1, 2], [2, 1, 0, 1], [2, 1]),
    ):
        size = [
            (dim + pads[d] + pads[d + 2] - dilations[d] * (k - 1) - 1) // strides[d] + 1
            for d, (dim, k) in enumerate(((8, 3), (9, 2)))
        ]
        inputs = [normal(2, 4, 8, 9), normal(6, 4 // group, 3, 2), normal(2, offsets * 12, *size)]
        more = [normal(6), uniform(0, 1, 2, offsets * 6, *size)]
        for given in (inputs, inputs + more):
            write("DeformConv", 19, given, group=group, offset_group=offsets, strides=strides,
                  pads=pads, dilations=dilations)  # fmt: skip


def blocks(write):
    write("Col2Im", 18, [normal(2, 12, 20), ints(5, 6), ints(2, 2)])
    write("Col2Im", 18, [normal(1, 18, 12), ints(6, 8), ints(3, 3)], strides=[2, 2],
          pads=[1, 0, 1, 0])  # fmt: skip
    write("Col2Im", 18, [normal(1, 24, 12), ints(3, 4, 3), ints(2, 2, 2)])
    for shape in ([3, 9], [6, 2], [5, 5]):
        write("CenterCropPad", 18, [normal(5, 6), ints(*shape)])
        write("CenterCropPad", 18, [normal(2, 5, 6), ints(*shape)], axes=[-1, 1])
    write("Det", 11, [normal(4, 5, 5)])
    for interleaved in (0, 1):
        positions = RANDOM.randint(0, 20, (2, 4)).astype(np.int64)
        inputs = [normal(2, 3, 4, 8), normal(20, 4), normal(20, 4), positions]
        write("RotaryEmbedding", 23, inputs, interleaved=interleaved)
        inputs = [normal(2, 4, 24), normal(2, 4, 2), normal(2, 4, 2)]
        write("RotaryEmbedding", 23, inputs, interleaved=interleaved, num_heads=3,
              rotary_embedding_dim=4)  # fmt: skip
    for dtype in (np.float32, np.int64, np.int8, np.float64):
        for in_order in (0, 1):
            for shape, more in (((5, 6), {}), ((6, 3, 2), {"axis": 0}), ((3, 7, 2), {"axis": -2})):
                x = RANDOM.randint(0, 6 - 2 * len(shape) + 4, shape).astype(dtype)
                write("Unique", 11, [x], 4, sorted=in_order, **more)


def text(write):
    pool = [2, 3, 5, 4, 5, 6, 7, 8, 6, 7]
    for mode in ("TF", "IDF", "TFIDF"):
        for least, most, skips in ((1, 1, 0), (2, 2, 0), (1, 2, 0), (2, 2, 5), (1, 2, 3)):
            more = {} if mode == "TF" else {"weights": [0.5, 1, 1.5, 2, 2.5, 3, 3.5]}
            for shape, dtype in (((3, 12), np.int64), ((12,), np.int32)):
                write("TfIdfVectorizer", 9, [RANDOM.randint(1, 9, shape).astype(dtype)], mode=mode,
                      min_gram_length=least, max_gram_length=most, max_skip_count=skips,
                      ngram_counts=[0, 4], ngram_indexes=[0, 1, 2, 3, 4, 5, 6], pool_int64s=pool,
                      **more)  # fmt: skip
    for action in ("NONE", "LOWER", "UPPER"):
        write("StringNormalizer", 10, [texts("Monday", "tuesday", "Tuesday")],
              case_change_action=action, is_case_sensitive=1)  # fmt: skip
    for delimiter in (None, "-"):
        for most in (None, 1, 2):
            more = {"delimiter": delimiter} if delimiter else {}
            more.update({"maxsplit": most} if most else {})
            write("StringSplit", 20, [texts("a-b-c", "-x-", " a  b c ", "hello")], 2, **more)
    write("RegexFullMatch", 20, [texts("a12", "12", "x")], pattern="[a-z]?[0-9]+")


def signals(write):
    for length in (64, 60, 17, 97):
        for inverse in (0, 1):
            write("DFT", 17, [normal(2, length, 1)], inverse=inverse)
            write("DFT", 17, [normal(2, 3, length, 2)], inverse=inverse, axis=2)
        write("DFT", 17, [normal(2, length, 1), scalar(length + 3)], onesided=1)
        write("DFT", 17, [normal(2, length, 1), scalar(length - 3)])
        write("DFT", 20, [normal(2, length, 4, 2), None, scalar(1)])
        window = np.hanning(length).astype(np.float32)
        write("STFT", 17, [normal(2, 128, 1), scalar(8), window])
        write("STFT", 17, [normal(1, 128, 1), scalar(16), None, scalar(length)], onesided=0)
    for op in ("HannWindow", "HammingWindow", "BlackmanWindow"):
        for periodic in (0, 1):
            for size in (2, 9, 16):
                write(op, 17, [scalar(size)], periodic=periodic)
            write(op, 17, [scalar(10, np.int32)], periodic=periodic, output_datatype=11)
    for bins, length, rate, low, high in ((8, 16, 8192, 0, 4096), (40, 400, 16000, 20, 7600)):
        edges = [scalar(low, np.float32), scalar(high, np.float32)]
        write("MelWeightMatrix", 17, [scalar(bins), scalar(length), scalar(rate)] + edges)


def cases() -> Iterator[Case]:
    made = Cases()
    for family in (regions, sampling, blocks, text, signals):
        family(made)
    yield from made.made
