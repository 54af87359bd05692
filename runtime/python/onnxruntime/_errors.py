# SPDX-License-Identifier: Apache-2.0
"""Exceptions by the names of ONNX Runtime, and which of them a status of the C library becomes."""

from ._library import lib

_MODULE = "onnxruntime.capi.onnxruntime_pybind11_state"


def _exception(name, number, label):
    made = type(name, (Exception,), {"__module__": _MODULE, "number": number, "label": label})
    made.__doc__ = "%s; `id`, where there is one, is the stable name of the cause." % label
    made.id = ""
    return made


Fail = _exception("Fail", 1, "FAIL")
InvalidArgument = _exception("InvalidArgument", 2, "INVALID_ARGUMENT")
NoSuchFile = _exception("NoSuchFile", 3, "NO_SUCHFILE")
NoModel = _exception("NoModel", 4, "NO_MODEL")
EngineError = _exception("EngineError", 5, "ENGINE_ERROR")
RuntimeException = _exception("RuntimeException", 6, "RUNTIME_EXCEPTION")
InvalidProtobuf = _exception("InvalidProtobuf", 7, "INVALID_PROTOBUF")
ModelLoaded = _exception("ModelLoaded", 8, "MODEL_LOADED")
NotImplemented = _exception("NotImplemented", 9, "NOT_IMPLEMENTED")  # noqa: A001, its name
InvalidGraph = _exception("InvalidGraph", 10, "INVALID_GRAPH")
EPFail = _exception("EPFail", 11, "EP_FAIL")
ModelLoadCanceled = _exception("ModelLoadCanceled", 12, "MODEL_LOAD_CANCELED")
ModelRequiresCompilation = _exception("ModelRequiresCompilation", 13, "MODEL_REQUIRES_COMPILATION")
NotFound = _exception("NotFound", 14, "NOT_FOUND")
DeviceReset = _exception("DeviceReset", 15, "DEVICE_RESET")

_INVALID_ARGUMENT, _NOT_FOUND, _UNIMPLEMENTED = 1, 2, 6


class Failure:
    """A status of the C library, read and released."""

    def __init__(self, status):
        self.code = lib.status_code(status)
        self.id = lib.status_id(status).decode("utf-8", "replace")
        message = lib.status_message(status).decode("utf-8", "replace")
        fix = lib.status_fix(status).decode("utf-8", "replace")
        self.message = message + ("; fix: " + fix if fix else "")
        lib.status_release(status)


def error(kind, message, cause=""):
    """An exception of `kind` with the text that ONNX Runtime would begin it with."""
    made = kind("[ONNXRuntimeError] : %d : %s : %s" % (kind.number, kind.label, message))
    made.id = cause
    return made


def load_error(failure, what):
    """Why a model could not be loaded; `what` is a path, or empty for bytes."""
    return error(
        _load_kind(failure),
        ("Load model from %s failed: " % what if what else "Failed to load model: ")
        + failure.message,
        failure.id,
    )


def _load_kind(failure):
    if failure.code == _NOT_FOUND:
        return NoSuchFile
    if failure.id == "Model.UnsupportedOpset":
        return Fail
    if failure.id == "Run.Cancelled":
        return ModelLoadCanceled
    if failure.code == _UNIMPLEMENTED:
        return NotImplemented
    if failure.id == "Model.Invalid":
        if "this is no ONNX model" in failure.message:
            return InvalidArgument
        broken = "no valid ONNX model" in failure.message or "no regular file" in failure.message
        return InvalidProtobuf if broken else InvalidGraph
    return InvalidArgument if failure.code == _INVALID_ARGUMENT else RuntimeException


def run_error(failure):
    """Why an inference failed."""
    if failure.id.startswith(("Input.", "Output.")):
        kind = InvalidArgument
    elif failure.code == _UNIMPLEMENTED:
        kind = NotImplemented
    else:
        kind = Fail if failure.code == _INVALID_ARGUMENT else RuntimeException
    return error(kind, failure.message, failure.id)


def check(status):
    """Raises for a status of a call that should not fail."""
    if status:
        raise run_error(Failure(status))
