"""Errors of the API of a helpdesk."""

from __future__ import annotations


class ApiError(Exception):
    """The API did not return what was requested. The text names the address, and what to do where somebody can do something."""


class UnauthorizedError(ApiError):
    """The credentials are not accepted."""


class ForbiddenError(ApiError):
    """The account may not see this."""


class MissingError(ApiError):
    """There is nothing at this address."""


class RefusedError(ApiError):
    """The API refuses this request, and would again."""


class UnreachableError(ApiError):
    """No answer that can be used, after all attempts."""
