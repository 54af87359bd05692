# SPDX-License-Identifier: Apache-2.0
"""The description of the v1 client (3.1 to 3.5 of v1-surface.md), read name by name: every function
has every argument, in that order and with that default; every attribute is there."""

import inspect
import re
import unittest

import azureml.core
import azureml.core.conda_dependencies
import azureml.core.image
import azureml.core.model
import azureml.core.webservice
from azureml.exceptions import NotAvailableException
from case import ROOT, StubCase

PAGE = ROOT.parent / "shared" / "spec" / "v1-surface.md"
MODULES = (
    azureml.core,
    azureml.core.model,
    azureml.core.image,
    azureml.core.webservice,
    azureml.core.conda_dependencies,
)
# By position, or under another name in the published signature: `ws` stands for `workspace`, and
# a profile's and a model payload's name are the argument's place.
BY_PLACE = {
    ("Model.deserialize", "ws"),
    ("Model.deserialize", "payload"),
    ("Model.package", "ws"),
    ("Model.profile", "ws"),
    ("Model.profile", "name"),
}
# The service applies these defaults (3.5), so that they can be told from what was asked for.
DEFAULTS_OF_THE_SERVICE = (
    "AciWebservice.deploy_configuration",
    "AksWebservice.deploy_configuration",
)
SECTIONS = re.compile(r"^(?:### )?(\w+)[^\n]*\n(.*?)(?=^### |\Z)", re.DOTALL | re.MULTILINE)
OBJECTS = {"ws": "Workspace", "model": "Model", "image": "Image"}
ATTRIBUTES = {
    "Workspace": r"Properties used: ([^;]*)",
    "Model": r"- Attributes: (id, name, version, description, tags[^(]*)",
    "Image": r'- Attributes: id "myimage:3", ((?:.|\n)*?)auto_delete',
    "Webservice": r"- Attributes: (name, state, compute_type(?:.|\n)*?)\.\n",
}
METHODS = {
    "CondaDependencies": r"- (add_pip_package(?:.|\n)*?)\.\n",
}


def section():
    text = PAGE.read_text(encoding="utf-8")
    return re.sub(r"### 3\.\d ", "### ", text.split("### 3.1 ", 1)[1].split("### 3.6 ", 1)[0])


def named(name):
    """The class, else None."""
    found = [getattr(module, name, None) for module in MODULES]
    return next((one for one in found if isinstance(one, type)), None)


def functions():
    """`(name, [(argument, default or None)])` of each signature on the page; a bare name is a
    method of its section's class."""
    for owner_here, text in SECTIONS.findall(section()):
        text = re.sub(r"\n  +", " ", text)
        for name, arguments in re.findall(r"`(\w+(?:\.\w+)?)\(([^`]*)\)`", text):
            owner, _, member = name.partition(".")
            if not member and named(owner) is None:
                owner, member = owner_here, owner
            owner = OBJECTS.get(owner, owner)
            arguments = re.sub(r"\[([^],]*)\]", "", arguments).replace("[,", ",").replace("]", "")
            pairs = [a.strip().rstrip("°").partition("=")[::2] for a in arguments.split(",")]
            yield f"{owner}.{member}".rstrip("."), [
                (n.strip(), d.strip()) for n, d in pairs if n.strip().isidentifier() and n != "dict"
            ]


def words(pattern):
    """The names in that passage."""
    passage = re.search(pattern, section()).group(1)
    passage = re.sub(r"\(.*?\)|\"[^\"]*\"", " ", passage, flags=re.DOTALL)
    return re.findall(r"\b[a-z]+(?:_[a-z]+)*\b", passage.replace("parent id", "parent_id"))


@unittest.skipUnless(PAGE.exists(), "the description of the v1 client is not beside the sources")
class SurfaceTest(StubCase):
    def test_every_signature(self):
        seen = 0
        for name, arguments in functions():
            owner, _, member = name.partition(".")
            function = named(owner)
            self.assertIsNotNone(function, name)
            if member:
                function = getattr(function, member, None)
            self.assertTrue(callable(function), name)
            seen += 1
            have = inspect.signature(function).parameters
            wanted = [(n, d) for n, d in arguments if (name, n) not in BY_PLACE]
            with self.subTest(name):
                self.assertEqual([n for n, _ in wanted if n not in have], [])
            for argument, default in wanted:
                if not default or name in DEFAULTS_OF_THE_SERVICE:
                    continue
                with self.subTest(f"{name}({argument})"):
                    found = have[argument].default
                    self.assertIn(default.split(" ")[0], (repr(found), str(found)))
        self.assertGreater(seen, 20)

    def test_every_attribute(self):
        # What the page says in words, not by a name.
        prose = {
            "Workspace": {"dict", "name", "newest", "object"},
            "Model": {"name"},
            "Image": {"by", "with", "its", "last", "service", "ids", "model"},
            "Webservice": {"app", "insights", "flag"},
        }
        for owner, pattern in ATTRIBUTES.items():
            found = [w for w in words(pattern) if w not in prose[owner]]
            self.assertGreater(len(found), 6, owner)
            for word in found:
                with self.subTest(f"{owner}.{word}"):
                    self.assertTrue(hasattr(named(owner), word))
        for owner, pattern in METHODS.items():
            for word in words(pattern):
                with self.subTest(f"{owner}.{word}"):
                    self.assertTrue(callable(getattr(named(owner), word, None)))

    def test_calls_by_position_mean_what_they_meant(self):
        for name, arguments in functions():
            if name.endswith(("deploy_from_image", "deploy_from_model", ".register", ".create")):
                owner, _, member = name.partition(".")
                have = list(inspect.signature(getattr(named(owner), member)).parameters)
                wanted = [n for n, _ in arguments]
                with self.subTest(name):
                    self.assertEqual(have[: len(wanted)], wanted)


class FurtherArgumentsTest(StubCase):
    """What a function does not have is not swallowed in silence."""

    def test_a_misspelt_one_names_the_nearest(self):
        from azureml.core.model import Model
        from azureml.core.webservice import AciWebservice, AksWebservice

        with self.fails(TypeError, "has no argument 'cpu_core'; did you mean 'cpu_cores'?"):
            AciWebservice.deploy_configuration(cpu_core=1)
        with self.fails(TypeError, "did you mean 'num_replicas'?"):
            AksWebservice.deploy_configuration(num_replica=2)
        with self.fails(TypeError, "did you mean 'deployment_config'?"):
            Model.deploy(self.ws, "svc", [], deploymentconfig=None)

    def test_a_later_one_is_ignored_and_says_so(self):
        from azureml.core.webservice import AciWebservice

        with self.noticed() as said:
            AciWebservice.deploy_configuration(cpu_cores=1, vnet_name="v")
        self.assertEqual(len(said), 1)
        self.assertIn("vnet_name is not known here, accepted and ignored", said[0])

    def test_what_a_service_says_of_its_address(self):
        service = self.service()
        self.assertEqual(service.fqdn, service.public_ip)
        self.assertFalse(service.ssl_enabled)
        self.assertIsNone(service.cname)
        self.assertIsInstance(azureml.core.webservice.AksEndpoint, type)
        with self.assertRaises(NotAvailableException):
            azureml.core.webservice.AksEndpoint.deploy_configuration


if __name__ == "__main__":
    unittest.main()
