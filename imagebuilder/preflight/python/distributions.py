# SPDX-License-Identifier: Apache-2.0
"""Which distribution an imported module comes from, what some of them require, and what Python
itself has. Source: the metadata of the distributions; docs.python.org, "What's New"."""

import sys

_OLD_STANDARD = """abc argparse array ast asyncio atexit base64 bdb binascii bisect builtins bz2 calendar cmath cmd
code codecs codeop collections colorsys compileall concurrent configparser contextlib contextvars
copy copyreg csv ctypes curses dataclasses datetime dbm decimal difflib dis doctest email
encodings enum errno faulthandler fcntl filecmp fileinput fnmatch formatter fractions ftplib
functools gc getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac html http imaplib
importlib inspect io ipaddress itertools json keyword linecache locale logging lzma mailbox
marshal math mimetypes mmap modulefinder multiprocessing netrc numbers operator optparse os
pathlib pdb pickle pickletools pkgutil platform plistlib poplib posix pprint profile pstats pty
pwd py_compile queue quopri random re readline reprlib resource rlcompleter runpy sched secrets
select selectors shelve shlex shutil signal site smtplib socket socketserver sqlite3 ssl stat
statistics string stringprep struct subprocess symtable sys sysconfig syslog tarfile tempfile
termios textwrap threading time timeit tkinter token tokenize tomllib trace traceback tracemalloc
tty turtle types typing unicodedata unittest urllib uuid venv warnings wave weakref webbrowser
wsgiref xml xmlrpc zipapp zipfile zipimport zlib zoneinfo""".split()
_REMOVED = {
    "3.12": "asynchat asyncore distutils imp smtpd",
    "3.13": (
        "aifc audioop cgi cgitb chunk crypt imghdr mailcap msilib nis nntplib ossaudiodev pipes"
        " sndhdr spwd sunau telnetlib uu xdrlib lib2to3"
    ),
    "3.9": "_dummy_thread dummy_threading",
    "3.10": "formatter parser symbol macpath",
}
_ADDED = {"3.9": "zoneinfo graphlib", "3.11": "tomllib"}

STANDARD = (
    set(_OLD_STANDARD)
    | set(getattr(sys, "stdlib_module_names", ()))
    | {name for names in _REMOVED.values() for name in names.split()}
)


def _number(version):
    return tuple(int(part) for part in version.split("."))


def gone_from_python(dotted, python):
    """Why the standard library of that Python lacks a module, or an empty text."""
    name = dotted.split(".")[0]
    if python is None:
        return ""
    for version, names in _REMOVED.items():
        if name in names.split() and python >= _number(version):
            return "it was removed in %s" % version
    for version, names in _ADDED.items():
        if name in names.split() and python < _number(version):
            return "it came with %s" % version
    return ""


# Distributions that bring a module of another name, the usual one first.
OF_IMPORT = {
    "sklearn": ("scikit-learn", "sklearn"),
    "cv2": (
        "opencv-python-headless",
        "opencv-python",
        "opencv-contrib-python",
        "opencv-contrib-python-headless",
    ),
    "PIL": ("Pillow",),
    "yaml": ("PyYAML", "ruamel-yaml"),
    "bs4": ("beautifulsoup4",),
    "skimage": ("scikit-image",),
    "dateutil": ("python-dateutil",),
    "Crypto": ("pycryptodome", "pycrypto"),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tensorflow-intel"),
    "keras": ("keras", "tensorflow", "tensorflow-cpu", "tensorflow-gpu"),
    "torch": ("torch", "pytorch", "pytorch-cpu"),
    "torchvision": ("torchvision", "torchvision-cpu"),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino"),
    "numpy": ("numpy",),
    "pandas": ("pandas",),
    "scipy": ("scipy",),
    "joblib": ("joblib",),
    "xgboost": ("xgboost", "py-xgboost", "xgboost-cpu"),
    "lightgbm": ("lightgbm",),
    "catboost": ("catboost",),
    "requests": ("requests",),
    "google": ("protobuf", "google-cloud-storage", "google-api-core"),
    "azure": (
        "azure-storage-blob",
        "azure-core",
        "azure-identity",
        "azure-ai-ml",
        "azure-keyvault-secrets",
    ),
    "azureml": ("azureml-sdk",),
    "inference_schema": ("inference-schema", "azureml-defaults"),
    "transformers": ("transformers",),
    "tokenizers": ("tokenizers", "transformers"),
    "sentencepiece": ("sentencepiece",),
    "nltk": ("nltk",),
    "spacy": ("spacy",),
    "gensim": ("gensim",),
    "statsmodels": ("statsmodels",),
    "matplotlib": ("matplotlib",),
    "seaborn": ("seaborn",),
    "onnx": ("onnx",),
    "flask": ("Flask",),
    "jwt": ("PyJWT",),
    "dotenv": ("python-dotenv",),
    "pydantic": ("pydantic",),
    "psutil": ("psutil",),
    "attr": ("attrs",),
    "attrs": ("attrs",),
    "pkg_resources": ("setuptools",),
    "setuptools": ("setuptools",),
    "six": ("six",),
    "pytz": ("pytz",),
    "tqdm": ("tqdm",),
    "h5py": ("h5py",),
    "faiss": ("faiss-cpu", "faiss-gpu"),
    "imageio": ("imageio",),
    "tflite_runtime": ("tflite-runtime",),
    "mlflow": ("mlflow",),
    "mxnet": ("mxnet",),
    "chainer": ("chainer",),
    "cntk": ("cntk",),
    "pyspark": ("pyspark",),
    "dill": ("dill",),
    "cloudpickle": ("cloudpickle",),
    "redis": ("redis",),
    "psycopg2": ("psycopg2-binary", "psycopg2"),
    "lxml": ("lxml",),
    "opencensus": ("opencensus",),
    "applicationinsights": ("applicationinsights",),
    "shap": ("shap",),
    "numba": ("numba",),
    "ml_dtypes": ("ml-dtypes",),
    "packaging": ("packaging",),
    "typing_extensions": ("typing-extensions",),
}

# What a distribution brings along, as far as scripts import it.
_REQUIRES = {
    "onnxruntime": "numpy protobuf packaging flatbuffers",
    "onnxruntime-gpu": "numpy protobuf packaging",
    "onnx": "numpy protobuf",
    "scikit-learn": "numpy scipy joblib",
    "sklearn": "scikit-learn",
    "pandas": "numpy pytz python-dateutil six",
    "scipy": "numpy",
    "xgboost": "numpy scipy",
    "lightgbm": "numpy scipy scikit-learn",
    "catboost": "numpy pandas scipy matplotlib six",
    "tensorflow": "numpy keras six h5py protobuf typing-extensions packaging requests",
    "tensorflow-cpu": "tensorflow",
    "tensorflow-gpu": "tensorflow",
    "keras": "numpy h5py",
    "torch": "numpy typing-extensions",
    "torchvision": "torch numpy pillow",
    "scikit-image": "numpy scipy pillow imageio",
    "opencv-python": "numpy",
    "opencv-python-headless": "numpy",
    "opencv-contrib-python": "numpy",
    "matplotlib": "numpy pillow python-dateutil six packaging",
    "seaborn": "numpy pandas matplotlib",
    "statsmodels": "numpy scipy pandas",
    "transformers": "numpy tokenizers requests tqdm pyyaml packaging",
    "gensim": "numpy scipy six",
    "spacy": "numpy requests tqdm pydantic",
    "nltk": "joblib tqdm",
    "imageio": "numpy pillow",
    "shap": "numpy scipy scikit-learn pandas tqdm",
    "numba": "numpy",
    "h5py": "numpy",
    "inference-schema": "python-dateutil pytz",
    "azureml-defaults": (
        "azureml-core inference-schema flask "
        "applicationinsights requests python-dateutil pytz pyyaml"
    ),
    "azureml-core": "requests python-dateutil pytz pyjwt six azure-core",
    "azureml-sdk": "azureml-core",
    "mlflow": "numpy pandas scipy requests pyyaml flask",
    "faiss-cpu": "numpy",
    "azure-storage-blob": "azure-core requests",
    "azure-identity": "azure-core",
    "mxnet": "numpy requests",
    "ml-dtypes": "numpy",
}

KNOWN = {name.lower() for names in OF_IMPORT.values() for name in names} | set(_REQUIRES)


def with_requirements(names):
    """These distributions and those they bring along."""
    found, queue = set(), list(names)
    while queue:
        name = queue.pop()
        if name not in found:
            found.add(name)
            queue += _REQUIRES.get(name, "").split()
    return found
