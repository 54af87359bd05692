# SPDX-License-Identifier: Apache-2.0
"""Fetches the source archive of a requirement with pip's session, indexes and credentials, and tells
what building it asks for. Nothing of the archive is run, or written anywhere.

usage: pip_source.py FOUND.json [OPTION of pip download]... REQUIREMENT

The requirement may be `NAME @ URL#sha256=…`. FOUND.json: {"name", "version", "file", "url", "needs"}.
Only `DownloadCommand` and what it hands to its resolver are used of pip. Source: pip 23.0,
src/pip/_internal/commands/download.py.
"""

import json
import os
import shutil
import sys
import tarfile
import zipfile

from pip._internal.commands.download import DownloadCommand
from pip._internal.exceptions import DistributionNotFound, InstallationError
from pip._internal.models.link import Link
from pip._internal.network.download import Downloader
from pip._internal.operations.prepare import get_file_url, get_http_url
from pip._vendor import tomli
from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import InvalidSdistFilename, parse_sdist_filename

_TEXT_MAX = 1 << 20
# Source: PEP 518, "build-system table".
_DEFAULT = ["setuptools>=40.8.0", "wheel"]


def _read_member(path, name):
    """Text of `<top folder>/name` in a source archive; None where it has none."""
    if path.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if info.filename.split("/")[1:] == [name] and info.file_size <= _TEXT_MAX:
                    return archive.read(info).decode("utf-8")
        return None
    with tarfile.open(path) as archive:
        for info in archive:
            parts = info.name.split("/")
            if parts[1:] == [name] and info.isfile() and info.size <= _TEXT_MAX:
                return archive.extractfile(info).read().decode("utf-8")
    return None


def build_needs(path):
    """What the archive's build backend asks for."""
    try:
        text = _read_member(path, "pyproject.toml")
        system = {} if text is None else tomli.loads(text).get("build-system", {})
    except (OSError, ValueError, tarfile.TarError, zipfile.BadZipFile, UnicodeError) as error:
        raise InstallationError("%s is no source archive: %s" % (os.path.basename(path), error))
    needs = system.get("requires", _DEFAULT) if isinstance(system, dict) else _DEFAULT
    if not isinstance(needs, list) or not all(isinstance(need, str) for need in needs):
        raise InstallationError("its pyproject.toml names no list of build requirements")
    # pip builds with the wheel package for backends of before it did without.
    return needs if any(need.startswith("wheel") for need in needs) else needs + ["wheel"]


class SourceCommand(DownloadCommand):
    """`pip download` of one source archive, which is not prepared."""

    found = None

    def run(self, options, args):
        session = self.get_default_session(options)
        finder = self._build_package_finder(options=options, session=session)
        requirement = Requirement(args[0])
        if requirement.url:
            link, version = Link(requirement.url), None
        else:
            best = finder.find_best_candidate(requirement.name, requirement.specifier)
            if best.best_candidate is None:
                raise DistributionNotFound("no source archive of %s" % requirement)
            link, version = best.best_candidate.link, str(best.best_candidate.version)
        try:
            version = version or str(parse_sdist_filename(link.filename)[1])
        except InvalidSdistFilename as error:
            raise InstallationError(str(error))
        hashes = link.as_hashes()
        if link.is_file:
            source = get_file_url(link, hashes=hashes)
        else:
            source = get_http_url(link, Downloader(session, "off"), hashes=hashes)
        os.makedirs(options.download_dir, exist_ok=True)
        path = os.path.join(options.download_dir, link.filename)
        shutil.copyfile(source.path, path)
        self.found = {
            "name": requirement.name,
            "version": version,
            "file": link.filename,
            "url": link.url_without_fragment,
            "needs": build_needs(path),
        }
        return 0


def main(argv):
    command = SourceCommand("download", "source archive")
    status = command.main(["--no-binary", ":all:"] + argv[2:])
    if status == 0:
        with open(argv[1], "w", encoding="utf-8") as file:
            json.dump(command.found, file)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv))
