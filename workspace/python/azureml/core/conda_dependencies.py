# SPDX-License-Identifier: Apache-2.0
"""The dependency file of an image: conda's form, with pip's packages in a list of their own."""

from __future__ import annotations

import os
import re

from azureml.core._slipway.conda_file import CondaFile, read_conda_file
from azureml.core._slipway.notices import ignored
from azureml.exceptions import UserErrorException

DEFAULT_SDK_ORIGIN = "https://pypi.python.org/simple"
CONDA_FILE_NAME = "conda_dependencies.yml"
PYTHON_DEFAULT_VERSION = "3.6.2"
_DEFAULT_PACKAGES = ("azureml-defaults",)
_HEADER = """\
# Conda environment specification. The dependencies defined in this file will
# be automatically provisioned for runs with userManagedDependencies=False.

# Details about the Conda environment file format:
# https://conda.io/docs/user-guide/tasks/manage-environments.html#create-env-file-manually
"""


class CondaDependencies:
    """Packages of pip and conda, channels and a Python version; read from a file if one is
    given."""

    def __init__(self, conda_dependencies_file_path=None, _underlying_structure=None):
        if conda_dependencies_file_path is not None:
            self._file = _read(conda_dependencies_file_path)
            return
        self._file = CondaFile()
        self._file.conda.append(f"python={PYTHON_DEFAULT_VERSION}")
        self._file.pip.extend(_DEFAULT_PACKAGES)

    @staticmethod
    def create(
        pip_indexurl=None,
        pip_packages=None,
        conda_packages=None,
        python_version=PYTHON_DEFAULT_VERSION,
        pin_sdk_version=True,
        **others,
    ):
        """Dependencies of these packages; without `pip_packages`, azureml-defaults is the one."""
        ignored("CondaDependencies.create", **others)
        made = CondaDependencies()
        if pip_packages is not None:
            made._file.pip.clear()
        made.set_python_version(python_version)
        if pip_indexurl:
            made.set_pip_index_url(pip_indexurl)
        for package in conda_packages or ():
            made.add_conda_package(package)
        for package in pip_packages or ():
            made.add_pip_package(package)
        return made

    @staticmethod
    def merge_requirements(requirements):
        """Requirements of one package, given apart, joined into one: `a>=1`, `a<2` to `a>=1,<2`."""
        bounds = {}
        for requirement in requirements:
            name = _name(requirement)
            rest = requirement.strip()[len(name) :].strip()
            bounds.setdefault(name, []).extend([rest] if rest else [])
        return [name + ",".join(dict.fromkeys(found)) for name, found in bounds.items()]

    def add_pip_package(self, pip_package):
        """Replaces a requirement for the same package."""
        _replace(self._file.pip, _checked(pip_package))

    def remove_pip_package(self, pip_package):
        _remove(self._file.pip, pip_package)

    def add_conda_package(self, conda_package):
        _replace(self._file.conda, _checked(conda_package))

    def remove_conda_package(self, conda_package):
        _remove(self._file.conda, conda_package)

    def add_channel(self, channel):
        if _checked(channel) not in self._file.channels:
            self._file.channels.append(channel.strip())

    def remove_channel(self, channel):
        if channel in self._file.channels:
            self._file.channels.remove(channel)

    def set_python_version(self, version):
        """`3.8`, or with a patch level; an image gets the Python that it can have, and says so."""
        if not re.fullmatch(r"\d+(\.\d+){0,2}(\.\*)?", str(version)):
            raise UserErrorException(f'"{version}" is no version of Python, such as 3.8')
        self.remove_conda_package("python")
        self._file.conda.insert(0, f"python={version}")

    def set_pip_index_url(self, index_url):
        self.set_pip_option(f"--index-url {index_url}")

    def set_pip_requirements(self, pip_requirements):
        """Replaces everything that pip is to install."""
        self._file.pip[:] = [_checked(line) for line in pip_requirements]

    def set_pip_option(self, pip_option):
        """A line for pip that begins with a dash, such as `--extra-index-url URL`."""
        option = _checked(pip_option)
        if not option.startswith("-"):
            raise UserErrorException(f'"{pip_option}" is no option of pip: it begins with "-"')
        word = option.split()[0].split("=")[0]
        kept = [line for line in self._file.pip if line.split()[0].split("=")[0] != word]
        self._file.pip[:] = [option, *kept]

    def remove_pip_option(self, pip_option):
        word = pip_option.split()[0].split("=")[0]
        self._file.pip[:] = [
            line for line in self._file.pip if line.split()[0].split("=")[0] != word
        ]

    def add_tensorflow_pip_package(self, core_type="cpu", version=None):
        """TensorFlow for the processor, or with `core_type` "gpu" for GPUs."""
        if core_type not in ("cpu", "gpu"):
            raise UserErrorException(f'core_type "{core_type}" is neither "cpu" nor "gpu"')
        name = "tensorflow-gpu" if core_type == "gpu" else "tensorflow"
        self.add_pip_package(f"{name}=={version}" if version else name)

    def add_tensorflow_conda_package(self, core_type="cpu", version=None):
        """The same from conda."""
        name = "tensorflow-gpu" if core_type == "gpu" else "tensorflow"
        self.add_conda_package(f"{name}={version}" if version else name)

    @property
    def conda_packages(self):
        """Without the Python itself."""
        return [line for line in self._file.conda if _name(line) != "python"]

    @property
    def conda_channels(self):
        return list(self._file.channels)

    @property
    def pip_packages(self):
        return [line for line in self._file.pip if not line.startswith("-")]

    @property
    def pip_options(self):
        return [line for line in self._file.pip if line.startswith("-")]

    @property
    def python_version(self):
        """None where no Python is named."""
        for line in self._file.conda:
            if _name(line) == "python":
                return line[len("python") :].strip().lstrip("=<>~! ") or None
        return None

    def get_python_version(self):
        return self.python_version

    def serialize_to_string(self):
        """The text of the dependency file."""
        lines = [_HEADER, f"name: {self._file.name}", "dependencies:"]
        pythons = [line for line in self._file.conda if _name(line) == "python"]
        if pythons:
            lines += [
                "  # The python interpreter version.",
                "  # Currently Azure ML only supports 3.5.2 and later.",
                f"- {_quoted(pythons[0])}",
                "",
            ]
        if self._file.pip:
            lines.append("- pip:")
            lines += [f"  - {_quoted(line)}" for line in self._file.pip]
        lines += [f"- {_quoted(line)}" for line in self.conda_packages]
        if self._file.channels:
            lines.append("channels:")
            lines += [f"- {_quoted(line)}" for line in self._file.channels]
        return "\n".join(lines) + "\n"

    def save_to_file(self, base_directory, conda_file_path=None):
        """Writes the file below `base_directory`; gives its path relative to that."""
        name = conda_file_path or CONDA_FILE_NAME
        self.save(os.path.join(base_directory or ".", name))
        return name

    def save(self, path=None):
        """Writes the file; gives its path."""
        path = path or CONDA_FILE_NAME
        folder = os.path.dirname(path)
        if folder:
            os.makedirs(folder, exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.serialize_to_string())
        return path

    def as_dict(self):
        """The file as plain values."""
        dependencies = list(self._file.conda)
        if self._file.pip:
            dependencies.append({"pip": list(self._file.pip)})
        found = {"name": self._file.name, "dependencies": dependencies}
        if self._file.channels:
            found["channels"] = list(self._file.channels)
        return found

    def __repr__(self):
        return self.serialize_to_string()


def _read(path) -> CondaFile:
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise UserErrorException(
            f"cannot read the dependency file {path}: {error}", error
        ) from error
    return read_conda_file(text, str(path))


def _checked(line) -> str:
    """One line of the file. Anything else would write other lines into it."""
    if not isinstance(line, str) or not line.strip() or "\n" in line or "\r" in line:
        raise UserErrorException(f"{line!r} is no package: it must be one line of text")
    return line.strip()


def _quoted(line: str) -> str:
    """Plain YAML where that means the line, else the line in quotes."""
    if re.search(r": |:$| #|^[\"'&*!|>%@`{\[,?#]", line):
        return "'" + line.replace("'", "''") + "'"
    return line


def _name(requirement: str) -> str:
    """The package that a requirement is about, without version and extras."""
    return re.split(r"[\s=<>~!\[;]", requirement.strip(), maxsplit=1)[0].lower()


def _replace(lines: list[str], line: str) -> None:
    for index, old in enumerate(lines):
        if _name(old) == _name(line) and not line.startswith("-"):
            lines[index] = line
            return
    lines.append(line)


def _remove(lines: list[str], package: str) -> None:
    lines[:] = [line for line in lines if _name(line) != _name(package)]
