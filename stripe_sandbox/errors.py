"""Stripe's errors, as its API says them."""

from typing import Any


class ApiError(Exception):
    """An answer that is not the wanted object; `is_stored` keeps it under the idempotency key.

    Stripe stores what happened once a request began to run; a request that fails its validation,
    or meets a running one, leaves its key free.
    Source: https://docs.stripe.com/api/idempotent_requests
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        is_stored: bool = False,
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.is_stored = is_stored
        said = {"type": kind, "message": message, "code": code, "param": param, **details}
        self.body: dict[str, Any] = {
            "error": {name: value for name, value in said.items() if value is not None}
        }


class PaymentFailed(ApiError):
    """An answer that tells of work done: the try to pay is kept, and so is what it left behind."""


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    return ApiError(400, message, code=code, param=param)


def missing(param: str) -> ApiError:
    return invalid(f"Missing required param: {param}.", param, "parameter_missing")


def no_such(what: str, object_id: str, param: str) -> ApiError:
    return ApiError(404, f"No such {what}: '{object_id}'", code="resource_missing", param=param)


def unauthorized(key: str) -> ApiError:
    if not key:
        return ApiError(
            401,
            "You did not provide an API key. You need to provide your API key in the Authorization"
            " header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        )
    return ApiError(401, f"Invalid API Key provided: {key[:8]}****{key[-4:]}")


def not_for_publishable_keys() -> ApiError:
    return ApiError(
        403,
        "This API call cannot be made with a publishable API key. Please use a secret API key.",
        code="secret_key_required",
    )


def server_error() -> ApiError:
    message = "An unknown error occurred (the sandbox was asked to fail)."
    return ApiError(500, message, kind="api_error", is_stored=True)


def forbidden() -> ApiError:
    return ApiError(403, "The provided key does not have the required permissions (as asked for).")


def rate_limited() -> ApiError:
    return ApiError(429, "Request rate limit exceeded.", code="rate_limit")


def key_in_use(key: str) -> ApiError:
    return ApiError(
        409,
        f"There is currently another in-progress request using this Idempotent Key: {key}."
        " Please try again later.",
        code="idempotency_key_in_use",
    )


def key_reused(key: str) -> ApiError:
    return ApiError(
        400,
        "Keys for idempotent requests can only be used with the same parameters they were first"
        f" used with. Try using a key other than '{key}' if you meant to execute a different"
        " request.",
        kind="idempotency_error",
    )
