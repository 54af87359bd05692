# SPDX-License-Identifier: Apache-2.0
"""`python3 .../slipway_worker/__main__.py [--preload] FD`, as slipway-serve starts it."""
import os
import sys

if sys.version_info < (3, 8):
    sys.exit("Python %d.%d is too old, 3.8 or newer is wanted" % sys.version_info[:2])

_HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) != os.path.join(
    _HERE, "slipway_worker")]
if _HERE not in sys.path:
    sys.path.insert(0, _HERE)

from slipway_worker.worker import main  # noqa: E402

sys.exit(main(sys.argv[1:]))
