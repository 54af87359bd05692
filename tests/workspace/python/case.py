# SPDX-License-Identifier: Apache-2.0
"""What the tests of the client have in common: a folder, an environment and a workspace each."""

import contextlib
import io
import os
import shutil
import tempfile
import unittest
import warnings
from pathlib import Path

from stub import StubService

ROOT = Path(__file__).resolve().parents[3]
VARIABLES = ("SLIPWAY_", "AZUREML_", "AML_", "XDG_DATA_HOME")


class FolderCase(unittest.TestCase):
    """Runs in an empty folder of its own, with none of the variables that the client reads."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="slipway-client-")).resolve()
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        before, kept = os.getcwd(), dict(os.environ)
        self.addCleanup(os.chdir, before)
        self.addCleanup(lambda: (os.environ.clear(), os.environ.update(kept)))
        for name in list(os.environ):
            if name.startswith(VARIABLES):
                del os.environ[name]
        os.environ["HOME"] = str(self.folder / "home")
        (self.folder / "work").mkdir()
        os.chdir(self.folder / "work")
        from azureml.core._slipway import notices

        notices._said.clear()

    def write(self, path, content="x"):
        """A file in the current folder."""
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            file.write_text(content, encoding="utf-8")
        return str(file)

    @contextlib.contextmanager
    def printed(self):
        """What is printed meanwhile; `lines()` gives it line by line."""
        out = io.StringIO()
        out.lines = lambda: out.getvalue().splitlines()
        with contextlib.redirect_stdout(out):
            yield out

    @contextlib.contextmanager
    def noticed(self):
        """The texts of what is said once meanwhile."""
        texts = []
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield texts
        texts += [str(w.message) for w in caught if w.category.__name__ == "SlipwayNotice"]

    def fails(self, kind, text):
        """A context in which `kind` is raised with `text` in its message."""
        import re

        return self.assertRaisesRegex(kind, re.escape(text))


class StubCase(FolderCase):
    """With a stub of the workspace service that has one workspace, `ws`."""

    def setUp(self):
        super().setUp()
        self.stub = StubService()
        self.stub.__enter__()
        self.addCleanup(self.stub.__exit__)
        os.environ["SLIPWAY_ENDPOINT"] = self.stub.address
        os.environ["SLIPWAY_TOKEN"] = self.stub.token
        from azureml.core import Workspace

        with self.printed():
            self.ws = Workspace.create(
                "lab", subscription_id="sub", resource_group="group", location="here"
            )

    def register(self, name="m", content="content", **more):
        from azureml.core.model import Model

        with self.printed():
            return Model.register(self.ws, self.write(f"{name}.bin", content), name, **more)

    def image(self, name="im", models=None, **more):
        """A built image."""
        from azureml.core.image import ContainerImage

        self.write("score.py", "def init(): pass\ndef run(data): return data\n")
        config = ContainerImage.image_configuration("score.py", "python", **more)
        with self.printed():
            image = ContainerImage.create(self.ws, name, models or [self.register()], config)
            image.wait_for_creation()
        return image

    def service(self, name="svc", config=None, **more):
        """A deployed service."""
        from azureml.core.webservice import AciWebservice, Webservice

        config = config or AciWebservice.deploy_configuration()
        with self.printed():
            service = Webservice.deploy_from_image(self.ws, name, self.image(), config, **more)
            service.wait_for_deployment()
        return service
