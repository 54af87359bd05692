# SPDX-License-Identifier: Apache-2.0
"""Asks slipway-serve with Triton's client: `tritonclient_peer.py SLIPWAY_SERVE`."""
import socket
import subprocess
import sys
import tempfile
import time

import numpy
import tritonclient.http as client
from tritonclient.utils import InferenceServerException


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def field(number, value):
    """A field of a serialised message: an integer, or bytes of less than 128."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def tiny_model():
    """y = x + x over float[N, 2], as a serialised ModelProto."""
    shape = field(1, field(2, b"N")) + field(1, field(1, 2))
    kind = field(2, field(1, field(1, 1) + field(2, shape)))
    node = field(1, b"x") * 2 + field(2, b"y") + field(4, b"Add")
    graph = field(1, node) + field(2, b"tiny")
    graph += field(11, field(1, b"x") + kind) + field(12, field(1, b"y") + kind)
    return field(1, 8) + field(7, graph) + field(8, field(2, 13))


def infer(server, values, binary_in, binary_out):
    item = client.InferInput("x", values.shape, "FP32")
    item.set_data_from_numpy(values, binary_data=binary_in)
    wanted = client.InferRequestedOutput("y", binary_data=binary_out)
    reply = server.infer("tiny", [item], outputs=[wanted], request_id="7")
    assert reply.get_response()["id"] == "7"
    return reply.as_numpy("y")


def check(server):
    assert server.is_server_live() and server.is_server_ready()
    assert server.is_model_ready("tiny") and not server.is_model_ready("none")
    assert server.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    metadata = server.get_model_metadata("tiny")
    assert metadata["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}], metadata
    values = numpy.array([[1.5, -0.0], [numpy.inf, 1e-40], [0.1, 3e38]], dtype=numpy.float32)
    with numpy.errstate(over="ignore"):
        expected = values + values
    for binary_in in (True, False):
        for binary_out in (True, False):
            if not binary_in:
                values[~numpy.isfinite(values)] = 2
                with numpy.errstate(over="ignore"):
                    expected = values + values
            got = infer(server, values, binary_in, binary_out)
            assert got.dtype == numpy.float32 and got.tobytes() == expected.tobytes(), got
    try:
        infer(server, numpy.zeros((1, 3), dtype=numpy.float32), True, True)
        raise AssertionError("a wrong shape was taken")
    except InferenceServerException as refused:
        assert "x" in str(refused) and "3" in str(refused), refused


def main():
    address = f"127.0.0.1:{free_port()}"
    model = tempfile.NamedTemporaryFile(suffix=".onnx")
    model.write(tiny_model())
    model.flush()
    process = subprocess.Popen(
        [sys.argv[1], model.name, "--name", "tiny", "--listen", address])
    try:
        server = client.InferenceServerClient(address)
        for _ in range(200):
            try:
                if server.is_server_ready():
                    break
            except OSError:
                pass
            time.sleep(0.05)
        check(server)
    finally:
        process.terminate()
        assert process.wait(20) == 0
    print("passed")


if __name__ == "__main__":
    main()
