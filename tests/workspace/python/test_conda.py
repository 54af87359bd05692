# SPDX-License-Identifier: Apache-2.0
"""The dependency file (3.3)."""

import os
import random
import unittest

from azureml.core.conda_dependencies import CondaDependencies
from azureml.core.environment import Environment
from azureml.exceptions import UserErrorException
from case import FolderCase

HEADER = """\
# Conda environment specification. The dependencies defined in this file will
# be automatically provisioned for runs with userManagedDependencies=False.

# Details about the Conda environment file format:
# https://conda.io/docs/user-guide/tasks/manage-environments.html#create-env-file-manually

name: project_environment
dependencies:
  # The python interpreter version.
  # Currently Azure ML only supports 3.5.2 and later.
- python=3.6.2

"""


class WriteTest(FolderCase):
    def test_as_the_documents_make_it(self):
        made = CondaDependencies.create(pip_packages=["numpy", "onnxruntime", "azureml-core"])
        self.assertEqual(
            made.serialize_to_string(),
            HEADER + ("- pip:\n  - numpy\n  - onnxruntime\n  - azureml-core\n"),
        )
        made = CondaDependencies()
        made.add_pip_package("azureml-core")
        made.add_pip_package("onnxruntime")
        self.assertEqual(
            made.serialize_to_string(),
            HEADER + ("- pip:\n  - azureml-defaults\n  - azureml-core\n  - onnxruntime\n"),
        )

    def test_nothing_given(self):
        for made in (CondaDependencies(), CondaDependencies.create()):
            self.assertEqual(made.pip_packages, ["azureml-defaults"])
            self.assertEqual(made.conda_packages, [])
            self.assertEqual(made.python_version, "3.6.2")

    def test_conda_packages_alone(self):
        made = CondaDependencies.create(conda_packages=["numpy", "scikit-learn"])
        self.assertEqual(
            made.serialize_to_string(),
            HEADER + ("- pip:\n  - azureml-defaults\n- numpy\n- scikit-learn\n"),
        )

    def test_conda_packages_follow_pip_and_channels_come_last(self):
        made = CondaDependencies.create(
            conda_packages=["scikit-learn", "numpy"], pip_packages=["a"], python_version="3.8"
        )
        made.add_channel("conda-forge")
        self.assertEqual(
            made.serialize_to_string(),
            HEADER.replace("3.6.2", "3.8")
            + ("- pip:\n  - a\n- scikit-learn\n- numpy\nchannels:\n- conda-forge\n"),
        )

    def test_a_package_is_there_once(self):
        made = CondaDependencies()
        for line in ("numpy", "numpy==1.16", "Numpy>=1.17,<2", "azureml-core[x]>=1"):
            made.add_pip_package(line)
        made.remove_pip_package("azureml_x")
        self.assertEqual(
            made.pip_packages, ["azureml-defaults", "Numpy>=1.17,<2", "azureml-core[x]>=1"]
        )
        made.remove_pip_package("numpy")
        made.remove_pip_package("azureml-defaults==1")
        self.assertEqual(made.pip_packages, ["azureml-core[x]>=1"])
        made.add_conda_package("scipy=1.2")
        made.add_conda_package("scipy=1.3")
        self.assertEqual(made.conda_packages, ["scipy=1.3"])
        made.remove_conda_package("scipy")
        made.remove_channel("none")
        self.assertEqual(made.conda_packages, [])

    def test_python_and_options(self):
        made = CondaDependencies.create(pip_packages=["a"], pip_indexurl="https://one/simple")
        made.set_pip_index_url("https://two/simple")
        made.set_pip_option("--extra-index-url https://three/simple")
        made.set_python_version("3.7.*")
        self.assertEqual(
            made.pip_options,
            ["--extra-index-url https://three/simple", "--index-url https://two/simple"],
        )
        self.assertEqual(made.python_version, "3.7.*")
        made.remove_pip_option("--index-url")
        self.assertEqual(made.pip_packages, ["a"])
        self.assertEqual(len(made.pip_options), 1)
        made.add_tensorflow_pip_package(version="1.10.0")
        made.add_tensorflow_pip_package("gpu")
        self.assertEqual(made.pip_packages, ["a", "tensorflow==1.10.0", "tensorflow-gpu"])

    def test_refused(self):
        made = CondaDependencies()
        for call in (
            lambda: made.add_pip_package(""),
            lambda: made.add_pip_package("a\n- b"),
            lambda: made.add_conda_package(None),
            lambda: made.set_python_version("three"),
            lambda: made.set_pip_option("numpy"),
            lambda: made.add_tensorflow_pip_package("tpu"),
        ):
            self.assertRaises(UserErrorException, call)

    def test_files(self):
        made = CondaDependencies()
        self.assertEqual(made.save_to_file("sub", "myenv.yml"), "myenv.yml")
        with open("sub/myenv.yml") as file:
            self.assertEqual(file.read(), made.serialize_to_string())
        self.assertEqual(made.save("other/env.yml"), "other/env.yml")
        self.assertTrue(os.path.isfile(made.save_to_file(".")))


class ReadTest(FolderCase):
    def read(self, text):
        return CondaDependencies(self.write("env.yml", text))

    def test_what_was_written_reads_back(self):
        made = CondaDependencies.create(
            pip_packages=[
                "git+https://example.org/a.git@v1#egg=a",
                "b>=1,<2",
                "c==1 ; python_version<'3'",
            ],
            conda_packages=["x=1.2", "y==1.2", "z>=1,<2"],
            pip_indexurl="https://one/simple",
        )
        made.add_channel("https://conda.example.org/main")
        again = self.read(made.serialize_to_string())
        self.assertEqual(again.as_dict(), made.as_dict())
        self.assertEqual(again.serialize_to_string(), made.serialize_to_string())

    def test_forms_that_people_write(self):
        for text in (
            "name: e\nchannels:\n  - c1\ndependencies:\n  - python=3.7\n  - pip:\n      - a==1\n"
            "      - b\n  - x=1\n",
            "# top\nname: e # here\ndependencies: # these\n- python=3.7\n\n- pip: # pip\n"
            "  # inside\n  - a==1   # why\n  - b\n- x=1\nchannels:\n- c1\n",
            "\ufeffname: 'e'\r\nchannels: [c1]\r\ndependencies: ['python=3.7', x=1]\r\n"
            "# no pip yet\r\n",
            '---\nname: "e"\ndependencies:\n- python=3.7\n- pip: [a==1, b]\n- x=1\n'
            "channels:\n- c1\n",
            "name: e\nprefix: /opt/e\ndependencies:\n- python=3.7\n- x=1\nchannels:\n- c1\n",
        ):
            with self.subTest(text):
                read = self.read(text)
                self.assertEqual(read._file.name, "e")
                self.assertEqual(read.python_version, "3.7")
                self.assertEqual(read.conda_packages, ["x=1"])
                self.assertEqual(read.conda_channels, ["c1"])
                self.assertIn(read.pip_packages, (["a==1", "b"], []))

    def test_wrong_files_name_the_line(self):
        for text, line in (
            ("dependencies:\n- {a: b}\n", 2),
            ("name: e\ndependencies:\n- a: b\n", 3),
            ("- a\n", 1),
            ("what is this\n", 1),
            ("dependencies: numpy\n", 1),
            ("dependencies:\n\t- a\n", 2),
            ("channels:\n- \n", 2),
        ):
            with self.subTest(text):
                with self.fails(UserErrorException, f"env.yml line {line}: "):
                    self.read(text)
        with self.fails(UserErrorException, "cannot read the dependency file"):
            CondaDependencies("no.yml")
        with self.fails(UserErrorException, "cannot read the dependency file"):
            CondaDependencies(self.write("latin.yml", b"name: \xe9\n"))

    def test_any_text_ends(self):
        """Whatever is in the file: a result, or the exception for it."""
        pieces = [
            "- ",
            "  ",
            "pip:",
            "a==1",
            "\n",
            "\n- ",
            ":",
            "#",
            "'",
            '"',
            "[",
            "]",
            "name: ",
            "dependencies:\n",
            "channels:\n",
            "\t",
            "-",
            "{",
            "&x",
            "\u00e9",
        ]
        choice = random.Random(7)
        read = 0
        for _ in range(3000):
            text = "".join(choice.choice(pieces) for _ in range(choice.randrange(20)))
            try:
                self.read(text).serialize_to_string()
                read += 1
            except UserErrorException:
                pass
        self.assertGreater(read, 50)

    def test_environment(self):
        file = self.write("env.yml", "dependencies:\n- python=3.8\n- pip:\n  - a\n")
        made = Environment.from_conda_specification("e", file)
        self.assertEqual(made.python.conda_dependencies.pip_packages, ["a"])
        file = self.write("r.txt", "# top\na==1  # why\n\n-r other.txt\nb\n")
        made = Environment.from_pip_requirements("e", file)
        self.assertEqual(made.python.conda_dependencies.pip_packages, ["a==1", "b"])
        copy = made.clone("f")
        copy.python.conda_dependencies.add_pip_package("c")
        self.assertEqual(made.python.conda_dependencies.pip_packages, ["a==1", "b"])
        with self.assertRaises(NotImplementedError):
            Environment.get(None, "AzureML-Minimal")


if __name__ == "__main__":
    unittest.main()
