"""From what a server said, or a cell passed, to the exception that names it."""

from __future__ import annotations

from typing import Any

from gip_nb.errors import BadSetting, GipError, KeyRefused, ServerError
from gip_nb.protocol.frames import encode_event

__all__ = ["error_of", "must_be_json"]

_KEY_CODES = frozenset({"invalid_api_key", "invalid_authentication", "unauthorized"})


def must_be_json(fields: dict[str, Any]) -> None:
    """Say it here, where a cell waits: the writer, who would find out later, has nobody to tell.

    Raises:
        BadSetting: JSON cannot carry it.
    """
    try:
        encode_event(fields)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BadSetting(
            f"JSON cannot carry this: {error}", "use plain dicts, lists, numbers and strings."
        ) from None


def error_of(told: object) -> GipError:
    """The exception for an `error` object of the server."""
    fields = told if isinstance(told, dict) else {}
    code = fields.get("code")
    message = str(fields.get("message") or "the server gave no reason")
    if code in _KEY_CODES or "Incorrect API key" in message:
        return KeyRefused(message, "check GIP_API_KEY (or api_key=...): is it for this gateway?")
    return ServerError(
        f"{message} ({code})" if code else message,
        "session.events shows what was sent before it.",
        code if isinstance(code, str) else None,
    )
