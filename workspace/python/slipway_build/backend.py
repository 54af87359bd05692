# SPDX-License-Identifier: Apache-2.0
"""Makes the wheel that pip installs, with nothing but Python: no download, nothing left behind.

Source: PEP 517 and PEP 660 for the functions, the packaging user guide's "Binary distribution
format" for the file.
"""

import base64
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

NAME = "slipway_azureml"
ROOT = Path(__file__).resolve().parent.parent
# The earliest time that a zip file can tell, so that the same sources give the same wheel.
_TIME = (1980, 1, 1, 0, 0, 0)


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return _write(wheel_directory, _sources())


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return _write(wheel_directory, {f"{NAME}.pth": f"{ROOT}\n".encode()})


def build_sdist(sdist_directory, config_settings=None):
    stem = f"{NAME}-{_version()}"
    files = {path: (ROOT / path).read_bytes() for path in ("pyproject.toml", "README.md")}
    files["slipway_build/backend.py"] = Path(__file__).read_bytes()
    files["PKG-INFO"] = _metadata().encode()
    with tarfile.open(Path(sdist_directory) / f"{stem}.tar.gz", "w:gz") as archive:
        for path, content in sorted({**files, **_sources()}.items()):
            entry = tarfile.TarInfo(f"{stem}/{path}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return f"{stem}.tar.gz"


def _version():
    text = (ROOT / "azureml" / "core" / "__init__.py").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("VERSION = "))
    return line.split('"')[1]


def _sources():
    files = sorted((ROOT / "azureml").rglob("*.py"))
    return {file.relative_to(ROOT).as_posix(): file.read_bytes() for file in files}


def _metadata():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return (
        "Metadata-Version: 2.1\n"
        f"Name: {NAME.replace('_', '-')}\n"
        f"Version: {_version()}\n"
        "Summary: The v1 names (workspace, model, image, web service) over a Slipway workspace\n"
        "License: Apache-2.0\n"
        "Requires-Python: >=3.8\n"
        "Description-Content-Type: text/markdown\n"
        f"\n{readme}"
    )


def _write(folder, files):
    info = f"{NAME}-{_version()}.dist-info"
    files = dict(files)
    files[f"{info}/METADATA"] = _metadata().encode()
    files[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: slipway\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = "".join(
        f"{path},{_digest(content)},{len(content)}\n" for path, content in files.items()
    )
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    name = f"{NAME}-{_version()}-py3-none-any.whl"
    with zipfile.ZipFile(Path(folder) / name, "w", zipfile.ZIP_DEFLATED) as wheel:
        for path, content in files.items():
            entry = zipfile.ZipInfo(path, _TIME)
            entry.external_attr = 0o644 << 16
            wheel.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return name


def _digest(content):
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
    return "sha256=" + digest.decode().rstrip("=")
