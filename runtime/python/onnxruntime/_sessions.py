# SPDX-License-Identifier: Apache-2.0
"""Engines of model files, kept a while: scripts that make a session for every request get the one
they had. An engine is taken again while its file is the same (device, inode, size, times) and the
options are; files whose external data could change unseen, and sessions with a profile or limits of
their own, are never kept. All kept files together
have at most SLIPWAY_SESSION_CACHE_MB MiB (64; 0 keeps none).
"""

import collections
import os
import threading
import time

from ._engine import Engine

_SETTLED_SECONDS = 0.1  # a younger file may change again within one tick of its clock

_kept = collections.OrderedDict()  # key -> (engine, bytes of its file); the newest last
_lock = threading.Lock()


def _renew_lock():
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def _limit():
    try:
        return max(0, int(os.environ.get("SLIPWAY_SESSION_CACHE_MB", "64"))) << 20
    except ValueError:
        return 0


def _key(path, options):
    """What a kept engine is known by, and the size of its file; nothing for no regular file."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None, 0
    if time.time() - found.st_mtime < _SETTLED_SECONDS:
        return None, 0
    times = (found.st_mtime_ns, found.st_ctime_ns)
    key = (found.st_dev, found.st_ino, found.st_size) + times
    return key + tuple(sorted(options.items())), found.st_size


def _has_external_data(path):
    """Whether it may: every reference to external data has a key `location`."""
    with open(path, "rb") as file:
        return b"location" in file.read()


def engine(source, **options):
    """An engine of a path or of a model's bytes."""
    limit = _limit()
    own = options.get("profile") or options.get("limits") or options.get("cancel")
    if isinstance(source, bytes) or limit == 0 or own:
        return Engine(source, **options)
    key, size = _key(source, options)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key][0]
    made = Engine(source, **options)
    if key is None or size > limit or key != _key(source, options)[0] or _has_external_data(source):
        return made
    dropped = []  # released outside the lock
    with _lock:
        _kept[key] = (made, size)
        while sum(size for _, size in _kept.values()) > limit:
            dropped.append(_kept.popitem(last=False))
    return made
