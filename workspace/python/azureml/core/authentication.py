# SPDX-License-Identifier: Apache-2.0
"""Who is asking. Slipway knows one kind of proof, a token; the logins of Azure are accepted."""

from __future__ import annotations

from azureml.core._slipway.notices import say_once


class AbstractAuthentication:
    """What can be passed as `auth`."""

    def get_authentication_header(self):
        """The header for requests that are made by hand."""
        from azureml.core._slipway import settings

        token = settings.connect(auth=self)._token
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _slipway_token(self) -> str:
        return ""


class _AzureLogin(AbstractAuthentication):
    """A login that means nothing to a Slipway workspace. Its secrets are never sent."""

    def _note(self):
        say_once(
            f"{type(self).__name__} is accepted and not used: a Slipway workspace asks for a "
            "token, from SLIPWAY_TOKEN, from the token_file of config.json, or from the state "
            "folder of this machine"
        )


class InteractiveLoginAuthentication(_AzureLogin):
    """No login takes place."""

    def __init__(self, force=False, tenant_id=None, cloud=None, **_):
        self.tenant_id = tenant_id
        self._note()


class AzureCliAuthentication(_AzureLogin):
    """No login takes place."""

    def __init__(self, cloud=None, **_):
        self._note()


class MsiAuthentication(_AzureLogin):
    """No login takes place."""

    def __init__(self, identity_config=None, cloud=None, **_):
        self._note()


class ServicePrincipalAuthentication(_AzureLogin):
    """Keeps the names; the password is not kept and not sent."""

    def __init__(
        self,
        tenant_id=None,
        service_principal_id=None,
        service_principal_password=None,
        cloud=None,
        **_,
    ):
        self.tenant_id = tenant_id
        self.service_principal_id = service_principal_id
        self._note()


class TokenAuthentication(AbstractAuthentication):
    """`get_token_for_audience` is called for the token of the Slipway workspace."""

    def __init__(self, get_token_for_audience, cloud=None, **_):
        self._get_token = get_token_for_audience

    def _slipway_token(self) -> str:
        return str(self._get_token("slipway")).strip()


class ArmTokenAuthentication(TokenAuthentication):
    """The token is that of the Slipway workspace."""

    def __init__(self, arm_access_token, **_):
        super().__init__(lambda audience: self._current)
        self._current = arm_access_token

    def update_arm_access_token(self, new_arm_access_token):
        self._current = new_arm_access_token
