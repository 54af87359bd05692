# SPDX-License-Identifier: Apache-2.0
"""The logger `onnxruntime` of Python's logging, by the names that ONNX Runtime has for it."""

import logging
import threading
import traceback

log = logging.getLogger("onnxruntime")
_LEVELS = [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL]


def _level(severity):
    if severity not in range(len(_LEVELS)):
        raise RuntimeError("Invalid logging severity %r: it is 0 to 4" % (severity,))
    return _LEVELS[severity]


class _Callback(logging.Filter):
    """Gives each message to a callable, and passes on those that it fails on or causes itself."""

    def __init__(self, callback):
        super().__init__()
        self._callback = callback
        self._thread = threading.local()

    def filter(self, record):
        if getattr(self._thread, "calls", False):
            return True
        self._thread.calls = True
        severity = sum(record.levelno > level for level in _LEVELS[:-1])
        where = "%s:%d %s" % (record.filename, record.lineno, record.funcName)
        try:
            self._callback(severity, "onnxruntime", "Default", where, record.getMessage())
        except Exception:
            traceback.print_exc()
            return True
        finally:
            self._thread.calls = False
        return False


_callback = None


def set_default_logger_severity(severity):
    """0 verbose, 1 information, 2 warnings, 3 errors, 4 fatal; of the logger `onnxruntime`."""
    log.setLevel(_level(severity))


def set_default_logger_callback(callback, severity=2):
    """Messages from `severity` on go to callback(severity, category, logid, code_location, message),
    on the thread that has them, and no longer to the logger's handlers; with None, to these again,
    and `severity` says nothing. A message is theirs too when the callback raises, whose traceback
    goes to stderr, and when the callback's own work causes it. RuntimeError for what is neither
    callable nor None, and for a severity that is not 0 to 4."""
    global _callback
    level = _level(severity)
    if callback is not None and not callable(callback):
        raise RuntimeError("callback must be a callable, not %r" % (callback,))
    if _callback is not None:
        log.removeFilter(_callback)
    _callback = None if callback is None else _Callback(callback)
    if _callback is not None:
        log.setLevel(level)
        log.addFilter(_callback)


def set_default_logger_verbosity(level):
    """Accepted: there is one level of detail."""
