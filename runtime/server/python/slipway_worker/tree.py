# SPDX-License-Identifier: Apache-2.0
"""What lies in the model folder, for the log of a script that cannot find its model."""
import os
from typing import List

LINES_MAX = 200
_DEPTH_MAX = 16


def listing(folder: str) -> List[str]:
    """The folder as an indented tree, at most LINES_MAX lines."""
    if not folder:
        return ["AZUREML_MODEL_DIR is not set"]
    if not os.path.isdir(folder):
        return ["%s does not exist" % folder]
    lines = [os.path.basename(os.path.abspath(folder)) + "/"]
    _add(folder, 1, lines)
    if len(lines) > LINES_MAX:
        lines[LINES_MAX - 1:] = ["..."]
    return lines


def _add(folder: str, depth: int, lines: List[str]) -> None:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        lines.append("    " * depth + "(%s)" % error.strerror)
        return
    for entry in entries:
        if len(lines) > LINES_MAX:
            return
        name = entry.name.encode("utf-8", "backslashreplace").decode("utf-8")
        if entry.is_dir(follow_symlinks=False):
            lines.append("    " * depth + name + "/")
            if depth < _DEPTH_MAX:
                _add(entry.path, depth + 1, lines)
        else:
            lines.append("    " * depth + name)
