# SPDX-License-Identifier: Apache-2.0
"""Files on their way to the workspace service and back."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path, PurePosixPath

from azureml.core._slipway.ignore import Rules
from azureml.exceptions import ServiceException, UserErrorException

_BLOCK_BYTES = 1 << 20
# Of a source directory: as many as an image takes beside its script.
_SOURCE_FILES_MAX = 10_000
_SOURCE_BYTES_MAX = 1 << 30


class Source:
    """A file to send, under the `path` that it is to have (relative, with `/`)."""

    def __init__(self, path: str, file):
        self.path = path
        self.file = str(file)


def source_tree(folder: Path, leave_out=()) -> list[Source]:
    """The files of a source directory that its ignore files do not leave out, in a fixed order;
    nothing of folders that are called as in `leave_out`. Refused: links, what is neither file nor
    folder, and more than an image takes."""
    rules = Rules(folder)
    sources, total = [], 0
    for place, folders, names in os.walk(folder, onerror=_raise):
        inside = Path(place).relative_to(folder).as_posix()
        front = "" if inside == "." else f"{inside}/"
        kept = []
        for name in sorted(folders + names):
            path, file = front + name, Path(place) / name
            is_folder = file.is_dir() and not file.is_symlink()
            if (name in leave_out and file.is_dir()) or rules.leaves_out(path, is_folder):
                continue
            if file.is_symlink():
                raise UserErrorException(
                    f"source_directory: {file} is a link to {os.readlink(file)}\n"
                    f"Fix: put the file itself there, or name {path} in .amlignore"
                )
            if is_folder:
                kept.append(name)
                continue
            if not file.is_file():
                raise UserErrorException(f"source_directory: {file} is no regular file")
            sources.append(Source(path, file))
            total += file.stat().st_size
            if len(sources) > _SOURCE_FILES_MAX or total > _SOURCE_BYTES_MAX:
                raise UserErrorException(
                    f"source_directory: {folder} has more than {_SOURCE_FILES_MAX} files or "
                    f"{_SOURCE_BYTES_MAX >> 20} MB\n"
                    "Fix: name what the script does not need in .amlignore, which has the form of "
                    ".gitignore; register data that it needs as a model"
                )
        folders[:] = kept
    return sources


def _raise(error: OSError):
    raise UserErrorException(
        f"source_directory: cannot read {error.filename}: {error.strerror}", error
    ) from error


def tree(folder: Path, under: str, leave_out=()) -> list[Source]:
    """Every file below `folder`, with paths below `under`, in a fixed order; nothing of folders
    that are called as in `leave_out`."""
    sources = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in leave_out)
        for name in sorted(names):
            file = Path(place) / name
            if not file.is_file():
                raise UserErrorException(f"{file} is no regular file")
            inside = file.relative_to(folder).as_posix()
            sources.append(Source(f"{under}/{inside}" if under else inside, file))
    return sources


def send(workspace, source: Source) -> dict:
    """Makes the service have the file; gives `path`, `digest`, `size` as requests hold them."""
    digest, size = _digest(source.file)
    place = workspace._path(f"/blobs/{digest}")
    if not workspace._connection.has(place):
        workspace._connection.put_file(place, source.file, size)
    return {"path": source.path, "digest": digest, "size": size}


def send_text(workspace, path: str, text: str) -> dict:
    """The same for a text that is in no file."""
    handle, name = tempfile.mkstemp(prefix="slipway-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode("utf-8"))
        return send(workspace, Source(path, name))
    finally:
        os.unlink(name)


def fetch(workspace, path: str, query: dict | None, target: Path, digest: str = "") -> None:
    """Writes what is at `path` to the file `target`: whole, with that digest, or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=str(target.parent))
    try:
        with os.fdopen(handle, "wb") as sink:
            workspace._connection.get_file(path, query, sink)
        if digest and _digest(name)[0] != digest:
            raise ServiceException(f"{target.name} came damaged: its digest is not {digest}")
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise


def safe_path(text: str) -> PurePosixPath:
    """A path of a model as the service names it; it must stay below the folder it is put in."""
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts or "\\" in text or "\0" in text:
        raise ServiceException(f"the service names a file {text!r} outside its folder")
    return path


def _digest(file: str) -> tuple[str, int]:
    try:
        total, size = hashlib.sha256(), 0
        with open(file, "rb") as content:
            for block in iter(lambda: content.read(_BLOCK_BYTES), b""):
                total.update(block)
                size += len(block)
    except OSError as error:
        raise UserErrorException(f"cannot read {file}: {error.strerror}", error) from error
    return f"sha256:{total.hexdigest()}", size
