# SPDX-License-Identifier: Apache-2.0
"""pip, which finds an empty wheel of a fitting version wherever a package is asked for that is not
to be fetched: no index is asked about it, whoever requires it.

usage: pip_stand_ins.py SETTINGS.json ARGUMENT...

SETTINGS.json:
    folder    where the wheels are made
    names     name -> {"version": the one that is taken where it fits, "requires": [...]}
    prefixes  the same for all names that begin so
    kept      names that are fetched like any other

Only `PackageFinder.find_best_candidate` and `.find_all_candidates` are replaced, which pip has had
with these parameters since 20.0. Source: pip, src/pip/_internal/index/package_finder.py.
"""

import json
import os
import re
import sys
import zipfile

from pip._internal.cli.main import main as pip_main
from pip._internal.index.package_finder import BestCandidateResult, PackageFinder
from pip._internal.models.candidate import InstallationCandidate
from pip._internal.models.link import Link
from pip._internal.utils.urls import path_to_url
from pip._vendor.packaging.specifiers import SpecifierSet
from pip._vendor.packaging.utils import canonicalize_name
from pip._vendor.packaging.version import InvalidVersion, Version

_TIME = (1980, 1, 1, 0, 0, 0)


def _versions_near(bound):
    """Versions around a bound of a specifier, for one of them to fit."""
    base = bound.base_version
    near = [base, base + ".post1", base + ".1", base + ".0.1"]
    release = list(bound.release)
    for place, number in enumerate(release):
        epoch = "%d!" % bound.epoch if bound.epoch else ""
        for other in (number + 1, number - 1):
            if other >= 0:
                near.append(epoch + ".".join(map(str, release[:place] + [other])))
    return near


def fitting_version(specifier, preferred):
    """A version that fits: the preferred one, else a bound, else one near a bound, the highest of
    them; None where no version fits."""
    bounds, near = set(), {"0.1"}
    for clause in specifier:
        text = clause.version[:-2] if clause.version.endswith(".*") else clause.version
        try:
            bounds.add(text)
            near.update(_versions_near(Version(text)))
        except InvalidVersion:
            return text if specifier.contains(text) else None
    for choice in ([preferred], bounds, near):
        fitting = [version for version in choice if specifier.contains(version, prereleases=True)]
        if fitting:
            return max(fitting, key=Version)
    return None


class StandIns:
    """The packages that are not to be fetched, and their empty wheels."""

    def __init__(self, settings):
        self._folder = settings["folder"]
        self._names = settings["names"]
        self._prefixes = settings["prefixes"]
        self._kept = set(settings["kept"])

    def find(self, name):
        """What is known of a package by its canonical name; None: it is fetched."""
        if name in self._kept:
            return None
        if name in self._names:
            return self._names[name]
        return next((self._prefixes[p] for p in self._prefixes if name.startswith(p)), None)

    def candidates(self, name, specifier):
        """The one candidate for a package of `find`, or none where no version fits."""
        known = self.find(name)
        version = fitting_version(specifier or SpecifierSet(), known["version"])
        if version is None:
            return []
        path = self._make(name, version, known["requires"])
        return [InstallationCandidate(name, version, Link(path_to_url(path)))]

    def _make(self, name, version, requires):
        stem = "%s-%s" % (name.replace("-", "_"), re.sub(r"[^A-Za-z0-9.!+]+", "_", version))
        path = os.path.join(self._folder, stem + "-py3-none-any.whl")
        if os.path.exists(path):
            return path
        metadata = ["Metadata-Version: 2.1", "Name: " + name, "Version: " + version]
        metadata += ["Requires-Dist: " + one for one in requires]
        files = {
            "METADATA": "\n".join(metadata) + "\n",
            "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "RECORD": "",
        }
        with zipfile.ZipFile(path + ".new", "w") as wheel:
            for file, text in files.items():
                info = zipfile.ZipInfo("%s.dist-info/%s" % (stem, file), _TIME)
                wheel.writestr(info, text)
        os.replace(path + ".new", path)
        return path


def install(stand_ins):
    """Makes pip's finder take the stand-ins."""
    find_all, find_best = PackageFinder.find_all_candidates, PackageFinder.find_best_candidate

    def find_all_candidates(self, project_name):
        name = canonicalize_name(project_name)
        if stand_ins.find(name) is None:
            return find_all(self, project_name)
        return stand_ins.candidates(name, None)

    def find_best_candidate(self, project_name, specifier=None, hashes=None):
        name = canonicalize_name(project_name)
        if stand_ins.find(name) is None:
            return find_best(self, project_name, specifier, hashes)
        found = stand_ins.candidates(name, specifier)
        return BestCandidateResult(found, found, found[0] if found else None)

    PackageFinder.find_all_candidates = find_all_candidates
    PackageFinder.find_best_candidate = find_best_candidate


def main(argv):
    with open(argv[1], encoding="utf-8") as file:
        settings = json.load(file)
    os.makedirs(settings["folder"], exist_ok=True)
    install(StandIns(settings))
    return pip_main(argv[2:])


if __name__ == "__main__":
    sys.exit(main(sys.argv))
