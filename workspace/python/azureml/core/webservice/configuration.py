# SPDX-License-Identifier: Apache-2.0
"""How a service is to run, as `deploy_configuration` takes it."""

from __future__ import annotations

from azureml.core._slipway.text import text_map
from azureml.exceptions import WebserviceException


class WebserviceDeploymentConfiguration:
    """The settings that were given; what was not is up to the target."""

    _compute_type = ""

    def __init__(self, settings: dict, tags=None, properties=None, description=None):
        self._settings = {key: value for key, value in settings.items() if value is not None}
        self._tags = text_map(tags, "tags")
        self._properties = text_map(properties, "properties")
        self._description = description or ""
        self._check()

    def validate_configuration(self):
        """WebserviceException naming the setting that cannot be."""
        self._check()

    def _check(self):
        for name in ("cpu_cores", "memory_gb"):
            value = self._settings.get(name)
            if value is not None and not (is_number(value) and value > 0):
                raise bad(f"{name} is {value!r}, must be a number above 0")
            limit = self._settings.get(f"{name}_limit")
            if limit is not None and not (is_number(limit) and limit > 0):
                raise bad(f"{name}_limit is {limit!r}, must be a number above 0")
            if None not in (value, limit) and limit < value:
                raise bad(f"{name}_limit is {limit}, less than {name}, which is {value}")

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return self.__dict__.get("_settings", {}).get(name)


def bad(why: str) -> WebserviceException:
    """A configuration that cannot be."""
    return WebserviceException(f"Invalid configuration: {why}", code="Deployment.Invalid")


def is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def tls_settings(ssl_enabled, cert_file, key_file, cname) -> dict:
    """The settings of TLS; reads the PEM files."""
    if not ssl_enabled:
        return {"ssl_enabled": ssl_enabled, "ssl_cname": cname}
    missing = [
        name
        for name, value in (
            ("ssl_cert_pem_file", cert_file),
            ("ssl_key_pem_file", key_file),
            ("ssl_cname", cname),
        )
        if not value
    ]
    if missing:
        raise bad(f"ssl_enabled needs {', '.join(missing)}")
    return {
        "ssl_enabled": True,
        "ssl_certificate": _read(cert_file, "ssl_cert_pem_file"),
        "ssl_key": _read(key_file, "ssl_key_pem_file"),
        "ssl_cname": cname,
    }


def _read(path, what: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise bad(f"{what}: cannot read {path}: {error}") from error
