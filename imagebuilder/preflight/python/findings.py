# SPDX-License-Identifier: Apache-2.0
"""What a check finds, and what it is told."""

import difflib

ERROR, WARNING = "error", "warning"


# Modules that Slipway's own packages bring into every image with Python.
PROVIDED = (
    "onnxruntime",
    "azureml.core",
    "azureml.exceptions",
    "azureml.contrib.services",
    "azureml.monitoring",
    "azureml_inference_server_http",
)


class Finding:
    """A fault of a script: stable code, severity, place (line from 1, column from 0), one line of
    text, and what to do about it."""

    def __init__(self, code, severity, place, message, fix):
        self.code, self.severity, self.message, self.fix = "Script." + code, severity, message, fix
        self.line = getattr(place, "lineno", place if isinstance(place, int) else 1) or 1
        self.column = getattr(place, "col_offset", 0) or 0

    def as_json(self):
        names = ("code", "severity", "line", "column", "message", "fix")
        return {name: getattr(self, name) for name in names}


class Model:
    """A model of the image: `inputs` and `outputs` map names to types such as `tensor(float)`, and
    are None where they are not known."""

    def __init__(self, given):
        self.name = str(given.get("name", ""))
        self.version = given.get("version")
        self.inputs, self.outputs = (self._ports(given.get(key)) for key in ("inputs", "outputs"))

    @staticmethod
    def _ports(given):
        if not given:
            return None
        return {str(port.get("name", "")): str(port.get("type", "")) for port in given}

    def numeric_outputs(self):
        """Whether every output is known to be an array of numbers."""
        if not self.outputs:
            return False
        return all(t.startswith("tensor(") and t != "tensor(string)" for t in self.outputs.values())


class Request:
    """What the image is made of, as far as the checks want to know.

    `requirements` are names of distributions, `dependencies` files and folders beside the script,
    `provided` modules that every image has, `python_version` the image's, such as "3.11".
    """

    def __init__(self, given):
        self.script = given["script"]
        self.models = [Model(model) for model in given.get("models") or []]
        self.requirements = [str(name) for name in given.get("requirements") or []]
        self.dependencies = [str(name) for name in given.get("dependencies") or []]
        self.provided = [str(name) for name in given.get("provided", PROVIDED)]
        text = str(given.get("python_version") or "")
        numbers = tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
        self.python = numbers if len(numbers) == 2 else None

    def model(self, name):
        """The newest model of that name, or None."""
        found = [model for model in self.models if model.name == name]
        return found[-1] if found else None


def nearest(word, known):
    """The one of `known` that was most likely meant, or an empty text."""
    same = [name for name in known if name.lower() == word.lower()]
    return (same or difflib.get_close_matches(word, list(known), 1, 0.6) or [""])[0]
