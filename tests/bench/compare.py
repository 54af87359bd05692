#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Slipway's runtime beside ONNX Runtime and OpenVINO, on the same models and inputs, in one go.

    python3 tests/bench/compare.py BUILD [--models NAME ...] [--threads 1 2] [--batch 1] ...

BUILD holds lib/slipway/python/onnxruntime. Every engine has a process of its own for each case
and is measured in turns with the others, so that what slows the machine slows all of them. The
first run makes a virtual environment with the newest packages (BUILD/compare-venv). Errors are
the largest differences over the largest magnitude, from Slipway's own kernels in float64 without
graph rewrites; for the light networks, which that takes minutes, from ONNX Runtime without.

`--engines slipway tuned` tells what measuring kernels brings: `tuned` is Slipway after that.

Sets of models: `light`, `models` and `exported` lie in ../shared; `full` are the *.onnx in the
folder that --full names. A name picks a set, or the models whose names contain it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Iterator

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
LIGHT = SHARED / "onnx-conformance/light"
ENGINES = ("slipway", "onnxruntime", "openvino")
TUNED = "tuned"  # Slipway with kernels that it measures for a while when a session is made
TUNE_MS = 5000
PACKAGES = ("onnxruntime", "openvino", "onnx", "numpy")
INSIDE = "SLIPWAY_COMPARE_INSIDE"
TINY_MS = 0.5  # below it the way of calling is part of the time
OPEN_DIM = 16  # of free dimensions that are no batch


# ---- models and inputs


def find_models(picks: list[str], full: Path | None) -> list[tuple[str, Path]]:
    """Names and files of the models that `picks` name."""
    sets: dict[str, list[tuple[str, Path]]] = {
        "light": [(p.stem, p) for p in sorted(LIGHT.glob("*.onnx"))],
        "models": [(p.stem, p) for p in sorted((SHARED / "models").glob("*.onnx"))],
        "exported": [
            (p.parent.name, p) for p in sorted((SHARED / "models/exported").glob("*/model.onnx"))
        ],
        "full": [(p.stem, p) for p in sorted(full.glob("*.onnx"))] if full else [],
    }
    found: dict[str, Path] = {}
    for pick in picks:
        rows = sets.get(pick)
        if rows is None:
            rows = [row for each in sets.values() for row in each if pick in row[0]]
        if not rows:
            raise SystemExit(f"compare.py: no model is called '{pick}' (sets: {', '.join(sets)})")
        found.update(rows)
    return list(found.items())


def stored_inputs(file: Path) -> dict[str, Any]:
    """Inputs of the first data set beside an exported model, by name."""
    import onnx
    from onnx import numpy_helper

    folder = file.parent / "test_data_set_0"
    if not folder.is_dir():
        return {}
    graph = onnx.load(str(file), load_external_data=False).graph
    weights = {tensor.name for tensor in graph.initializer}
    feeds = {}
    for index, value in enumerate(v for v in graph.input if v.name not in weights):
        tensor = onnx.TensorProto()
        tensor.ParseFromString((folder / f"input_{index}.pb").read_bytes())
        feeds[value.name] = numpy_helper.to_array(tensor)
    return feeds


def random_inputs(file: Path, batch: int) -> tuple[dict[str, Any], bool]:
    """Seeded inputs that fit the declared shapes, and whether the batch could be chosen."""
    import numpy as np
    import onnx

    random = np.random.default_rng(7)
    graph = onnx.load(str(file), load_external_data=False).graph
    weights = {tensor.name for tensor in graph.initializer}
    feeds: dict[str, Any] = {}
    free = False
    for value in graph.input:
        if value.name in weights:
            continue
        tensor = value.type.tensor_type
        shape = []
        for axis, dim in enumerate(tensor.shape.dim):
            is_open = not dim.HasField("dim_value") or dim.dim_value <= 0
            free = free or (axis == 0 and is_open)
            shape.append((batch if axis == 0 else OPEN_DIM) if is_open else dim.dim_value)
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if np.issubdtype(dtype, np.floating):
            feeds[value.name] = random.standard_normal(shape).astype(dtype)
        elif value.name == "sr":
            feeds[value.name] = np.full(shape, 16000, dtype)
        else:
            feeds[value.name] = np.ones(shape, dtype)
    return feeds, free


def inputs_of(name: str, file: Path, batch: int) -> dict[str, Any] | None:
    """What the engines are fed; None where the model has no such batch."""
    import numpy as np

    stored = stored_inputs(file)
    if stored:
        return stored if batch == 1 else None
    if name == "silero_vad":
        feeds = {
            "input": np.random.default_rng(7).standard_normal((1, 512)).astype(np.float32) * 0.1,
            "state": np.zeros((2, 1, 128), np.float32),
            "sr": np.array(16000, np.int64),
        }
        wanted = random_inputs(file, 1)[0]
        if set(feeds) == set(wanted):
            return feeds if batch == 1 else None
    feeds, free = random_inputs(file, batch)
    return feeds if batch == 1 or free else None


# ---- engines: each class runs in a process of its own


def load_inputs(path: str) -> dict[str, Any]:
    import numpy as np

    with np.load(path, allow_pickle=True) as stored:
        return {name: stored[name] for name in stored.files}


class OrtEngine:
    """ONNX Runtime, and Slipway under the same names."""

    def __init__(self, file: str, threads: int, rewrite: bool = True, tune: bool = False) -> None:
        import onnxruntime as ort

        self.ort = ort
        options = ort.SessionOptions()
        if tune:
            options.add_session_config_entry("slipway.tune_ms", str(TUNE_MS))
        if not rewrite:
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = ort.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def calls(self, feeds: dict[str, Any]) -> dict[str, Any]:
        """The ways to call it once."""
        session = self.session
        ways = {"run": lambda: session.run(None, feeds)}
        try:
            binding = session.io_binding()
            for name, value in feeds.items():
                binding.bind_cpu_input(name, value)
            for output, value in zip(session.get_outputs(), session.run(None, feeds)):
                binding.bind_ortvalue_output(
                    output.name, self.ort.OrtValue.ortvalue_from_numpy(value))
            session.run_with_iobinding(binding)
            ways["binding"] = lambda: session.run_with_iobinding(binding)
        except Exception:  # sequences and text cannot be bound
            pass
        return ways

    def outputs(self, feeds: dict[str, Any]) -> list[Any]:
        return self.session.run(None, feeds)

    def version(self) -> str:
        return getattr(self.ort, "slipway_version", self.ort.__version__)


class OpenVinoEngine:
    """OpenVINO's CPU plugin, in float32."""

    def __init__(self, file: str, threads: int) -> None:
        import openvino

        self.openvino = openvino
        self.core = openvino.Core()
        self.model = self.core.compile_model(file, "CPU", {
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
            "INFERENCE_NUM_THREADS": str(threads),
        })
        self.request = self.model.create_infer_request()

    def calls(self, feeds: dict[str, Any]) -> dict[str, Any]:
        for name, value in feeds.items():
            shared = value.dtype.kind in "fiub"
            self.request.set_tensor(name, self.openvino.Tensor(value, shared_memory=shared))
        return {"infer": self.request.infer}

    def outputs(self, feeds: dict[str, Any]) -> list[Any]:
        found = self.request.infer(feeds)
        return [found[port] for port in self.model.outputs]

    def version(self) -> str:
        return self.openvino.__version__


def peak_mb() -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def save_outputs(outputs: list[Any], file: str) -> None:
    """The arrays of numbers among them, in float64, under their positions."""
    import numpy as np

    numbers = {str(i): np.asarray(o, np.float64) for i, o in enumerate(outputs)
               if isinstance(o, np.ndarray) and o.dtype.kind in "fiub"}
    np.savez(file, **numbers)


def begin(engine: str, order: dict[str, Any],
          feeds: dict[str, Any]) -> tuple[Any, list[Any], dict[str, float]]:
    """A session, its first answer, and how long each took, in ms."""
    start = time.perf_counter()
    if engine == "openvino":
        model: Any = OpenVinoEngine(order["file"], order["threads"])
    else:
        model = OrtEngine(order["file"], order["threads"], tune=engine == TUNED)
    created = time.perf_counter()
    outputs = model.outputs(feeds)
    answered = time.perf_counter()
    return model, outputs, {"create_ms": (created - start) * 1e3,
                            "answer_ms": (answered - start) * 1e3}


def serve_engine(engine: str) -> None:
    """A worker: one order a line on stdin, one answer a line on stdout."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)  # what a library prints is no answer
    if engine == "openvino":
        import openvino  # noqa: F401
    else:
        import onnxruntime  # noqa: F401
    call = None
    for line in sys.stdin:
        order = json.loads(line)
        try:
            answer: Any = {}
            if order["do"] == "load":
                before = peak_mb()
                feeds = load_inputs(order["inputs"])
                model, outputs, answer = begin(engine, order, feeds)
                save_outputs(outputs, order["outputs"])
                call, chosen = cheapest(model.calls(feeds))
                answer |= {"way": chosen, "before_mb": before, "version": model.version()}
            elif order["do"] == "begin":
                answer = begin(engine, order, load_inputs(order["inputs"]))[2]
            elif order["do"] == "refer":
                model = OrtEngine(order["file"], order["threads"], rewrite=False)
                save_outputs(model.outputs(load_inputs(order["inputs"])), order["outputs"])
            elif order["do"] == "measure":
                clock = time.process_time if order["clock"] == "cpu" else time.perf_counter
                answer = {"ms": measure(call, order["seconds"], order["least"], clock)}
            elif order["do"] == "end":
                answer = {"peak_mb": peak_mb()}
        except Exception as error:  # the other engines go on
            answer = {"failure": f"{type(error).__name__}: {error}".splitlines()[0][:300]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def measure(call: Any, seconds: float, least: int, clock: Any = time.perf_counter) -> list[float]:
    """Times of single calls in ms; for quick ones, of as many as fit 50 us, divided."""
    call()
    start = clock()
    call()
    group = max(1, int(50e-6 / max(clock() - start, 1e-7)))
    samples: list[float] = []
    end = clock() + seconds
    while clock() < end or len(samples) < least:
        start = clock()
        for _ in range(group):
            call()
        samples.append((clock() - start) / group * 1e3)
        if len(samples) >= 100_000:
            break
    return samples


def cheapest(ways: dict[str, Any]) -> tuple[Any, str]:
    """The quickest way to call, where calls are so short that it matters."""
    first = next(iter(ways))
    medians = {}
    for name, call in ways.items():
        medians[name] = statistics.median(measure(call, 0.02, 3))
        if medians[name] > TINY_MS:
            return ways[first], first
    best = min(medians, key=lambda name: medians[name])
    return ways[best], best


# ---- the comparison


class Worker:
    """An engine's process."""

    def __init__(self, engine: str, build: Path, threads: int) -> None:
        env = dict(os.environ, OMP_NUM_THREADS=str(threads))
        env.pop("PYTHONPATH", None)
        if engine in ("slipway", TUNED):
            env["PYTHONPATH"] = str(build / "lib/slipway/python/onnxruntime")
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).resolve()), str(build), "--worker", engine],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env,
            stderr=subprocess.DEVNULL)

    def ask(self, **order: Any) -> dict[str, Any]:
        assert self.process.stdin and self.process.stdout
        try:
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            return {"failure": f"the process ended with {self.process.wait()}"}
        return json.loads(line)

    def close(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def largest_error(ours: Path, theirs: Path) -> float | None:
    """The largest difference over the largest magnitude, of all outputs both have."""
    import numpy as np

    worst = None
    with np.load(ours) as a, np.load(theirs) as b:
        for name in set(a.files) & set(b.files):
            x, y = a[name], b[name]
            if x.shape != y.shape:
                return math.inf
            if not x.size:
                continue
            if not np.array_equal(np.isfinite(x), np.isfinite(y)):
                return math.inf
            both = np.isfinite(x)
            scale = max(float(np.abs(y[both]).max(initial=0)), 1e-30)
            error = float(np.abs(x[both] - y[both]).max(initial=0)) / scale
            worst = error if worst is None else max(worst, error)
    return worst


def begin_again(args: argparse.Namespace, case: dict[str, Any], engines: list[str], file: Path,
                inputs: Path, threads: int) -> None:
    """Times of the first session of a process and its first answer: medians, measured in turns."""
    times = {engine: [case[engine]] for engine in engines}
    for _ in range(args.creations - 1):
        for engine in engines:
            worker = Worker(engine, args.build, threads)
            answer = worker.ask(do="begin", file=str(file), inputs=str(inputs), threads=threads)
            times[engine] += [] if "failure" in answer else [answer]
            worker.close()
    for engine, key in itertools.product(engines, ("create_ms", "answer_ms")):
        case[engine][key] = statistics.median(time[key] for time in times[engine])


def run_case(args: argparse.Namespace, work: Path, file: Path, inputs: Path,
             threads: int) -> dict[str, Any]:
    """All engines on one model, threads and inputs."""
    case: dict[str, Any] = {}
    workers: dict[str, Worker] = {}
    samples: dict[str, list[float]] = {}
    for engine in args.engines:
        worker = Worker(engine, args.build, threads)
        loaded = worker.ask(do="load", file=str(file), inputs=str(inputs), threads=threads,
                            outputs=str(work / f"{engine}.npz"))
        case[engine] = loaded
        if "failure" in loaded:
            worker.close()
            continue
        workers[engine] = worker
        samples[engine] = []
    for turn in range(args.rounds):
        order = list(workers)
        for engine in order[turn % len(order):] + order[:turn % len(order)] if order else []:
            time.sleep(0.02)  # threads of the engine before may still look for work
            answer = workers[engine].ask(do="measure", seconds=args.seconds, least=args.least,
                                         clock=args.clock)
            samples[engine] += answer.get("ms", [])
    peaks = {}
    for engine, worker in workers.items():
        peaks[engine] = worker.ask(do="end").get("peak_mb", 0.0)
        worker.close()
    begin_again(args, case, list(workers), file, inputs, threads)
    for engine, peak in peaks.items():
        ordered = sorted(samples[engine])
        if not ordered:
            case[engine]["failure"] = "no run came to its end"
            continue
        case[engine] |= {
            "median_ms": statistics.median(ordered), "min_ms": ordered[0],
            "p99_ms": ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
            "runs": len(ordered), "peak_mb": peak - case[engine]["before_mb"]}
        if (work / "reference.npz").exists():
            case[engine]["error"] = largest_error(work / f"{engine}.npz", work / "reference.npz")
    return case


def refer(args: argparse.Namespace, work: Path, file: Path, feeds: dict[str, Any]) -> str | None:
    """Writes the answers that all engines are held against; why there are none, if so."""
    import numpy as np

    (work / "reference.npz").unlink(missing_ok=True)
    engine, model = "onnxruntime", file
    if LIGHT not in file.parents:
        import onnx
        from double_precision import in_double

        engine, model = "slipway", work / "double.onnx"
        onnx.save(in_double(onnx.load(str(file))), str(model))
        feeds = {name: value.astype(np.float64) if value.dtype.kind == "f" else value
                 for name, value in feeds.items()}
    np.savez(work / "reference_inputs.npz", **feeds)
    worker = Worker(engine, args.build, len(os.sched_getaffinity(0)))
    answer = worker.ask(do="refer", file=str(model), inputs=str(work / "reference_inputs.npz"),
                        threads=len(os.sched_getaffinity(0)), outputs=str(work / "reference.npz"))
    worker.close()
    return answer.get("failure")


def ratio(case: dict[str, Any], peer: str, key: str = "median_ms") -> float | None:
    ours, theirs = case.get("slipway", {}).get(key), case.get(peer, {}).get(key)
    return ours / theirs if ours and theirs else None


def geometric_mean(values: list[float]) -> float | None:
    return math.exp(statistics.fmean(map(math.log, values))) if values else None


def number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def significant(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def print_case(row: dict[str, Any], peers: list[str], key: str) -> None:
    case = row["engines"]
    fields = [f"{row['model'][:34]:34} {row['threads']:2} {row['batch']:2}"]
    for engine in ["slipway", *peers]:
        one = case.get(engine, {})
        fields.append(f"{significant(one.get(key)):>8} {significant(one.get('p99_ms')):>8}"
                      f" {significant(one.get('create_ms')):>7} {number(one.get('peak_mb'), 0):>5}")
    for peer in peers:
        fields.append(f"{number(ratio(case, peer, key)):>6}")
    for engine in ["slipway", *peers]:
        error = case.get(engine, {}).get("error")
        fields.append("   -   " if error is None else f"{error:7.0e}")
    print(" ".join(fields), flush=True)
    for engine, one in case.items():
        if "failure" in one:
            print(f"    {engine}: {one['failure']}", flush=True)


def mean_ratios(rows: list[dict[str, Any]], peer: str, key: str) -> dict[str, Any]:
    """Ours over the peer's, of time, of what begins a session, and of memory."""
    def spread(of: str) -> dict[str, Any]:
        found = [r for row in rows if (r := ratio(row["engines"], peer, of)) is not None]
        return {"models": len(found), "geometric_mean": geometric_mean(found),
                "least": min(found, default=None), "most": max(found, default=None),
                "above_one": sum(r > 1 for r in found)}

    return spread(key) | {"creation": spread("create_ms"), "first_answer": spread("answer_ms"),
                          "peak_memory": spread("peak_mb")}


def spelled(mean: dict[str, Any]) -> str:
    return (f"{number(mean['geometric_mean'], 3)} ({number(mean['least'])} to "
            f"{number(mean['most'])}, {mean['above_one']} above 1)")


def print_means(rows: list[dict[str, Any]], peers: list[str], key: str) -> list[dict[str, Any]]:
    means = []
    pairs = sorted({(row["threads"], row["batch"]) for row in rows})
    for (threads, batch), peer in itertools.product(pairs, peers):
        some = [row for row in rows if (row["threads"], row["batch"]) == (threads, batch)]
        mean = mean_ratios(some, peer, key)
        if not mean["models"]:
            continue
        means.append({"threads": threads, "batch": batch, "peer": peer} | mean)
        print(f"slipway/{peer}, {threads} threads, batch {batch}, {mean['models']} models: "
              f"geometric mean {spelled(mean)}, creation {spelled(mean['creation'])}, "
              f"with the first answer {spelled(mean['first_answer'])}, "
              f"peak memory {spelled(mean['peak_memory'])}")
    return means


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()


def cases(args: argparse.Namespace) -> Iterator[tuple[str, Path, int, int]]:
    for name, file in find_models(args.models, args.full):
        for batch in args.batch:
            for threads in args.threads:
                yield name, file, batch, threads


def compare(args: argparse.Namespace) -> int:
    import tempfile

    import numpy as np

    peers = [engine for engine in args.engines if engine != "slipway"]
    rows: list[dict[str, Any]] = []
    key = f"{args.statistic}_ms"
    referred: tuple[str, int] | None = None
    print(f"{'model':34} th  b " + " ".join(
        f"{engine[:8]:>8} {'p99':>8} {'create':>7} {'MB':>5}" for engine in ["slipway", *peers])
        + " " + " ".join(f"{'/' + peer[:5]:>6}" for peer in peers) + "  errors")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for name, file, batch, threads in cases(args):
            feeds = inputs_of(name, file, batch)
            if feeds is None:
                continue
            np.savez(work / "inputs.npz", **feeds)
            if (name, batch) != referred:
                failure = refer(args, work, file, feeds)
                if failure:
                    print(f"{name}: no reference: {failure}", flush=True)
                referred = (name, batch)
            rows.append({"model": name, "threads": threads, "batch": batch,
                         "engines": run_case(args, work, file, work / "inputs.npz", threads)})
            print_case(rows[-1], peers, key)
    means = print_means(rows, peers, key)
    wrong = [row["model"] for row in rows
             if (row["engines"].get("slipway", {}).get("error") or 0) > args.tolerance]
    if wrong:
        print(f"differ by more than {args.tolerance}: {', '.join(sorted(set(wrong)))}")
    if args.json:
        report = {"machine": processor(), "cores": len(os.sched_getaffinity(0)),
                  "date": time.strftime("%Y-%m-%d"), "rows": rows, "means": means}
        args.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    return 1 if wrong else 0


def enter_environment(build: Path) -> None:
    """Goes on in an environment with the packages, made where there is none."""
    if os.environ.get(INSIDE):
        return
    python = Path(os.environ.get("SLIPWAY_COMPARE_VENV", build / "compare-venv")) / "bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(python.parents[1])], check=True)
        subprocess.run([str(python), "-m", "pip", "-q", "install", "--upgrade", *PACKAGES],
                       check=True)
    os.environ[INSIDE] = "1"
    os.execv(str(python), [str(python), str(Path(__file__).resolve()), *sys.argv[1:]])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path, help="the build folder")
    parser.add_argument("--models", nargs="+", default=["light", "models", "exported", "full"])
    parser.add_argument("--full", type=Path, help="folder of make_models.py")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3, help="of one engine in one round")
    parser.add_argument("--least", type=int, default=2, help="runs of one engine in one round")
    parser.add_argument("--creations", type=int, default=5,
                        help="processes of each engine that make a session; the median is told")
    parser.add_argument("--engines", nargs="+", default=list(ENGINES),
                        choices=(*ENGINES, TUNED))
    parser.add_argument("--statistic", choices=("median", "min"), default="median",
                        help="what is compared; min is for machines with other work to do")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall",
                        help="cpu: what the process took, of all threads, in spite of other work")
    parser.add_argument("--tolerance", type=float, default=1e-3)
    parser.add_argument("--json", type=Path, help="where to write everything measured")
    parser.add_argument("--worker", choices=(*ENGINES, TUNED), help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.build = args.build.resolve()
    if args.worker:
        serve_engine(args.worker)
        return 0
    enter_environment(args.build)
    return compare(args)


if __name__ == "__main__":
    sys.exit(main())
