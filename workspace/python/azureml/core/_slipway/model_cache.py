# SPDX-License-Identifier: Apache-2.0
"""Where the files of models lie: in an image, or in the cache of the current folder.

Imports nothing at first: every scoring script pays for it.
"""

import os

FOLDER = "azureml-models"


def folders():
    """The folders that may hold `<name>/<version>/…`, nearest first, each once."""
    found = []
    model_dir = os.environ.get("AZUREML_MODEL_DIR")
    if model_dir:
        found += [model_dir, os.path.dirname(os.path.dirname(os.path.abspath(model_dir)))]
    app_root = os.environ.get("AML_APP_ROOT")
    if app_root:
        found.append(os.path.join(app_root, FOLDER))
    found.append(FOLDER)
    return list(dict.fromkeys(found))


def versions(name):
    """`(version, folder)` of the versions of a model that are here, newest first."""
    found = {}
    for folder in folders():
        try:
            entries = os.listdir(os.path.join(folder, name))
        except OSError:
            continue
        for entry in entries:
            place = os.path.join(folder, name, entry)
            if entry.isdigit() and os.path.isdir(place):
                found.setdefault(int(entry), place)
    return sorted(found.items(), reverse=True)


def content(place):
    """What a version's folder holds: the one file or folder in it, else the folder itself."""
    entries = [entry for entry in os.listdir(place) if not entry.startswith(".")]
    return os.path.join(place, entries[0]) if len(entries) == 1 else place


def find(name, version=None):
    """The path of a model here: of that version, or of the newest. None if there is none."""
    for number, place in versions(name):
        if version is None or number == int(version):
            return content(place)
    if version is None:
        for root in ("", os.environ.get("AML_APP_ROOT", "")):
            path = os.path.join(root, name)
            if os.path.exists(path):
                return path
    return None


def not_found(name, version):
    """Why `find` found nothing, for the person who wrote the script."""
    import logging

    logger = logging.getLogger("azureml.core.model")
    text = (
        f"Model not found in cache or in root at ./{name}. "
        "For more info,set logging level to DEBUG."
    )
    logger.debug("looked for %s in %s and in %s", name, folders(), os.getcwd())
    here = [number for number, _ in versions(name)]
    if here:
        return f'{text}\nVersion {version} of "{name}" is not here, only {sorted(here)}.'
    names = set()
    for folder in folders():
        try:
            names.update(entry.name for entry in os.scandir(folder) if entry.is_dir())
        except OSError:
            continue
    names = sorted(each for each in names if versions(each))
    same = [each for each in names if each.lower() == name.lower()]
    if same:
        return f'{text}\nThe model is called "{same[0]}" here: capitals count.'
    if names:
        return f"{text}\nThe models here are: {', '.join(names)}."
    return text
