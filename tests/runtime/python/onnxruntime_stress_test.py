# SPDX-License-Identifier: Apache-2.0
"""The module `onnxruntime` under load: threads, the interpreter's lock, forks, memory."""

import gc
import os
import signal
import threading
import time
import unittest

from support import resident_bytes, skip_without

skip_without("numpy")
import numpy as np
import onnxruntime as rt
import tiny_onnx as t

X = np.array([[1, 2], [3, 4], [5, 6]], np.float32)
Y = np.array([[10, 20]], np.float32)


def products(count, threads):
    """A session of `count` matrix products one after the other."""
    names = ["x"] + ["t%d" % i for i in range(1, count)] + ["y"]
    nodes = [t.node("MatMul", [names[i], "w"], [names[i + 1]]) for i in range(count)]
    port = t.tensor_type(t.FLOAT, ["N", "N"])
    options = rt.SessionOptions()
    options.intra_op_num_threads = threads
    inputs = [t.value("x", port), t.value("w", port)]
    return rt.InferenceSession(t.model(nodes, inputs, [t.value("y", port)]), options)


class Threads(unittest.TestCase):
    def test_many_threads_share_a_session(self):
        session = rt.InferenceSession(t.add())
        wrong = []

        def work(number):
            for i in range(400):
                x = np.full((1 + (number + i) % 5, 2), number, np.float32)
                [z] = session.run(None, {"x": x, "y": Y})
                if z.shape != x.shape or not np.array_equal(z, x + Y):
                    wrong.append((number, i))
                if i % 50 == 0:
                    try:
                        session.run(None, {"x": x, "y": X})
                        wrong.append("taken")
                    except rt.capi.onnxruntime_pybind11_state.InvalidArgument:
                        pass

        threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_the_lock_is_released_while_running(self):
        session = products(6, threads=1)
        x = np.random.default_rng(1).standard_normal((700, 700)).astype(np.float32) / 30
        feeds = {"x": x, "w": x}
        session.run(None, feeds)
        took = []

        def work():
            for _ in range(3):
                begin = time.monotonic()
                session.run(None, feeds)
                took.append(time.monotonic() - begin)

        thread = threading.Thread(target=work)
        gaps, last = [], time.monotonic()
        thread.start()
        while thread.is_alive():
            time.sleep(0.0005)
            now = time.monotonic()
            gaps.append(now - last)
            last = now
        thread.join()
        self.assertGreater(sum(took) / len(took), 0.01)
        # A held lock would let this thread pass once for each run.
        self.assertGreater(len(gaps), 3 * len(took), (took, gaps))
        self.assertLess(sorted(gaps)[len(gaps) // 2], min(took) / 2)


class Forks(unittest.TestCase):
    def in_child(self, work):
        """Runs `work` in a fork; fails where it raises, crashes or hangs."""
        child = os.fork()
        if child == 0:
            try:
                signal.alarm(60)
                work()
                os._exit(0)
            except BaseException as error:
                os.write(2, ("child: %r\n" % error).encode())
                os._exit(1)
        self.assertEqual(os.waitpid(child, 0)[1], 0)

    def test_children_go_on_with_a_session(self):
        session = products(2, threads=2)
        x = np.random.default_rng(2).standard_normal((256, 256)).astype(np.float32) / 16
        feeds = {"x": x, "w": x}
        expected = session.run(None, feeds)[0]

        def work():
            for _ in range(3):
                np.testing.assert_array_equal(session.run(None, feeds)[0], expected)
            self.assertEqual(rt.InferenceSession(t.add()).run(None, {"x": X, "y": Y})[0][0, 0], 11)

        for _ in range(3):
            self.in_child(work)
            np.testing.assert_array_equal(session.run(None, feeds)[0], expected)

    def test_a_child_of_a_child(self):
        session = products(2, threads=2)
        x = np.eye(128, dtype=np.float32)
        session.run(None, {"x": x, "w": x})

        def work():
            session.run(None, {"x": x, "w": x})
            self.in_child(lambda: session.run(None, {"x": x, "w": x}))

        self.in_child(work)


class Memory(unittest.TestCase):
    def flat(self, work, count, allowed=3 << 20):
        for _ in range(count // 10):
            work()
        gc.collect()
        before = resident_bytes()
        for _ in range(count):
            work()
        gc.collect()
        self.assertLess(resident_bytes() - before, allowed)

    def test_runs(self):
        session = rt.InferenceSession(t.add())
        x = np.ones((100, 2), np.float32)
        self.flat(lambda: session.run(None, {"x": x, "y": Y}), 20000)

    def test_runs_of_text_and_maps(self):
        port = t.tensor_type(t.STRING, ["N"])
        text = rt.InferenceSession(
            t.model([t.node("Identity", ["x"], ["y"])], [t.value("x", port)], [t.value("y", port)])
        )
        folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "models")
        maps = rt.InferenceSession(os.path.join(folder, "zip_map.onnx"))
        words = np.array(["word %d" % i for i in range(30)], object)

        def work():
            text.run(None, {"x": words})
            maps.run(None, {"x": X})

        self.flat(work, 20000)

    def test_runs_of_other_shapes_and_layouts(self):
        session = rt.InferenceSession(t.add())
        counter = iter(range(1 << 30))
        wide = np.ones((1200, 4), np.float32)

        def work():
            rows = next(counter) % 1000 + 1
            session.run(["z"], {"y": Y, "x": wide[:rows, ::2]})

        self.flat(work, 4000, 8 << 20)

    def test_large_outputs(self):
        session = rt.InferenceSession(t.same("Neg", t.FLOAT, ["N"]))
        x = np.ones(100000, np.float32)
        self.flat(lambda: session.run(None, {"x": x}), 2000)

    def test_refusals(self):
        session = rt.InferenceSession(t.add())

        def work():
            for feeds in (
                {"x": X, "y": X},
                {"x": X.astype(np.float64), "y": Y},
                {"x": X},
                {"x": X, "y": "no"},
            ):
                try:
                    session.run(None, feeds)
                except Exception:
                    pass
            try:
                rt.InferenceSession(t.add()[:-9])
            except rt.capi.onnxruntime_pybind11_state.InvalidProtobuf:
                pass

        self.flat(work, 2000)

    def test_text_and_sequences(self):
        text = rt.InferenceSession(t.same("Identity", t.STRING, ["N"]))
        words = np.array(["a fairly long word that is no short string"] * 50, object)
        pair = rt.InferenceSession(
            t.model(
                [t.node("SequenceConstruct", ["x", "x"], ["y"])],
                [t.value("x", t.tensor_type(t.FLOAT, ["N"]))],
                [t.value("y", t.sequence_type(t.tensor_type(t.FLOAT, ["N"])))],
            )
        )
        numbers = np.ones(5000, np.float32)

        def work():
            text.run(None, {"x": words})
            pair.run(None, {"x": numbers})

        self.flat(work, 1500)

    def test_sessions(self):
        source = t.add()
        self.flat(lambda: rt.InferenceSession(source).run(None, {"x": X, "y": Y}), 1000)


if __name__ == "__main__":
    unittest.main()
