# SPDX-License-Identifier: Apache-2.0
"""What goes wrong, under the names that code for the v1 client catches."""


class AzureMLException(Exception):
    """Any failure of this package. `message` is its text."""

    def __init__(self, message="", inner_exception=None, **_):
        super().__init__(message)
        self.message = message
        self.inner_exception = inner_exception


class UserErrorException(AzureMLException):
    """The caller asked for something that cannot be."""


class NotAvailableException(UserErrorException, NotImplementedError):
    """A part of the v1 surface that a Slipway workspace does not have; the text says what to do."""


class AuthenticationException(AzureMLException):
    """The workspace service does not accept the token, or there is none."""


class ServiceException(AzureMLException):
    """The workspace service cannot be reached, or failed."""


class ProjectSystemException(AzureMLException):
    """Something is wrong with a workspace."""


class WorkspaceException(ProjectSystemException):
    """The workspace is not there, or is there already."""


class WebserviceException(AzureMLException):
    """A call about models, images or web services failed.

    `status_code` is the HTTP status where there was an answer; `code` the stable dotted code of
    the cause, such as `Model.NotFound`; `fix` says what to do. Empty where not known.
    """

    def __init__(self, message="", inner_exception=None, status_code=None, code="", fix="", **_):
        super().__init__(message, inner_exception)
        self.status_code = status_code
        self.code = code
        self.fix = fix


class ModelNotFoundException(WebserviceException):
    """There is no such model in the image, in the local cache or in the workspace."""


class ModelPathNotFoundException(WebserviceException, UserErrorException):
    """There is no file or folder at the path that is to be registered."""


class ComputeTargetException(AzureMLException):
    """There is no such compute target, or it cannot be had."""


class RunEnvironmentException(AzureMLException):
    """This code does not run inside a submitted run."""
