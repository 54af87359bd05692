# SPDX-License-Identifier: Apache-2.0
"""The v1 names (workspace, model, image, web service) over the REST of a Slipway workspace.

Nothing is imported before it is asked for: a scoring script that only wants
`Model.get_model_path` pays for that alone.
"""

VERSION = "1.0.85+slipway"
__version__ = VERSION

_MODULE_OF = {
    "ComputeTarget": "compute",
    "ContainerRegistry": "container_registry",
    "Dataset": "dataset",
    "Datastore": "datastore",
    "Environment": "environment",
    "Experiment": "experiment",
    "Image": "image",
    "Keyvault": "keyvault",
    "LinkedService": "linked_service",
    "Model": "model",
    "Run": "run",
    "RunConfiguration": "runconfig",
    "ScriptRunConfig": "script_run_config",
    "Webservice": "webservice",
    "Workspace": "workspace",
}
__all__ = sorted(_MODULE_OF)


def __getattr__(name):
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted([*globals(), *__all__])
