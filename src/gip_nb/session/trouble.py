"""From what a server said, or a cell passed, to the exception that names it. Pure.

A server says what is wrong in four places: the answer to the handshake, an `error` event, a response that
failed, and the reason of a close. The same trouble is the same exception wherever it was said.
"""

from __future__ import annotations

import functools
import inspect
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

from gip_nb.errors import (
    BadSetting,
    BudgetSpent,
    ConnectionDropped,
    ConnectionRefused,
    DialectRefused,
    GipError,
    KeyRefused,
    ServerError,
    TimedOut,
    UnknownModel,
    UnknownOption,
)
from gip_nb.protocol.budget import OVER_BUDGET
from gip_nb.protocol.frames import encode_event
from gip_nb.protocol.overdue import HUNG
from gip_nb.session.options import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    from gip_nb.protocol.outputs import Failed

__all__ = [
    "Told",
    "ends_session",
    "error_of",
    "error_of_close",
    "error_of_failure",
    "error_of_refusal",
    "must_be_json",
    "must_be_seconds",
    "must_be_text",
    "offers_nearest",
    "read_body",
    "read_told",
    "refuses_dialect",
    "tidied",
]

P = ParamSpec("P")
R = TypeVar("R")

_MOST_CHARS = 500
_UNAUTHORIZED = frozenset({401, 403})

_KEY_CODES = frozenset(
    {
        *("401", "403", "authentication_error", "expired_api_key", "forbidden", "invalid_api_key"),
        *("invalid_authentication", "invalid_token", "missing_api_key", "permission_denied"),
        *("permission_error", "token_expired", "unauthenticated", "unauthorized"),
    }
)
_MODEL_CODES = frozenset({"invalid_model", "model_not_available", "model_not_found", "unknown_model"})
# The first is OpenAI's since it ended beta, the second what it says where a beta header is missing.
_DIALECT_CODES = frozenset({"beta_api_shape_disabled", "invalid_beta", "missing_beta_header"})
# Registered close codes, and those that servers make up after HTTP's.
_KEY_CLOSES = frozenset({3000, 3003, 4401, 4403})

_KEY_WORDS = re.compile(
    r"\b(incorrect|invalid|expired|missing|revoked|unknown|wrong|bad|no) (api[ _-]?key|bearer|credentials)\b"
    r"|api[ _-]?key.{0,40}(incorrect|invalid|expired|missing|revoked|required|not valid)"
    r"|\bunauthori[sz]ed\b|\bunauthenticated\b|authentication (error|failed)"
    r"|(expired|invalid|missing) (access|auth|bearer|proxy server|session) token",
    re.IGNORECASE | re.DOTALL,
)
_MODEL_WORDS = re.compile(
    r"\b(invalid|no such|unknown|unrecogni[sz]ed|unsupported) model\b"
    r"|(?<!transcription )\bmodel\b.{0,200}?(not found|not exist|n't exist|is not available|is not supported"
    r"|not recogni[sz]ed|is unknown)"
    r"|(no|not have) access to (the )?model\b",
    re.IGNORECASE | re.DOTALL,
)
_DIALECT_WORDS = re.compile(r"realtime beta api|openai-beta|beta header", re.IGNORECASE)

_CHECK_KEY = "check GIP_API_KEY (or api_key=...): is it for this gateway, and may it use realtime models?"
_LIST_MODELS = (
    "gip_nb.models() lists the realtime models that this key may use; an id carries its provider's prefix, "
    "such as 'openai/...', where the gateway's do."
)
_LOOK = "session.events shows what was sent before it."
# What to do about an error that has a code, where that is more than to look.
_NEXT_STEPS = {
    "conversation_already_has_active_response": "wait for the answer (session.wait('response.done')), or "
    "session.interrupt() it first.",
    "input_audio_buffer_commit_empty": "append at least 100 ms of audio before commit(), with send_audio() "
    "or the microphone; with turn detection on the server commits by itself.",
    "insufficient_quota": "look at the account's plan and billing; talk('rehearsal') needs neither.",
    "rate_limit_exceeded": "wait a little, then ask again.",
    "session_expired": "start a new session with talk() or connect(); this one's tables stay readable.",
    "unknown_parameter": "leave that field out: this server, or this dialect, does not have it.",
}


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


def must_be_seconds(timeout_s: Any) -> None:  # noqa: ANN401 - is checked here
    """A time to wait: NaN, which compares with nothing, would upset the timers of everybody on the loop.

    Raises:
        BadSetting: it is no positive number.
    """
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not timeout_s > 0:
        raise BadSetting(f"timeout_s is {timeout_s!r}", "give it in seconds, more than 0.")


def must_be_text(**given: object) -> None:
    """What else would be sent as something that nobody meant, or could not be sent at all.

    Raises:
        BadSetting: naming the argument and the type.
    """
    for name, value in given.items():
        if not isinstance(value, str):
            raise BadSetting(f"{name} is a {type(value).__name__}", f"give {name} as text.")


def offers_nearest(verb: Callable[P, R]) -> Callable[P, R]:
    """Make an unknown keyword of a verb an `UnknownOption`, a `TypeError` too, that names the nearest."""
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    known = {n for n, p in inspect.signature(verb).parameters.items() if p.kind in kinds} - {"self"}

    @functools.wraps(verb)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        for name in kwargs:
            if name not in known:
                raise UnknownOption(name, nearest(name, known), known)
        return verb(*args, **kwargs)

    return checked


# ---------------------------------------------------------------------------------------------- what was said


class Told(NamedTuple):
    """What a server said went wrong.

    Attributes:
        message: empty where it gave no reason.
        code: its own code, or the kind of error where that says more; None without.
        param: what it is about, None where it does not say.
    """

    message: str
    code: str | None = None
    param: str | None = None


def tidied(text: str) -> str:
    """A server's text as a line that can be shown: no control characters, and no more than 500 characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * _MOST_CHARS]).split())
    return line if len(line) <= _MOST_CHARS else line[:_MOST_CHARS] + " [...]"


def read_told(told: object) -> Told:
    """Read an `error` event, its `error` object, the JSON body of an HTTP answer, or a text.

    Servers differ in where they put the message, and a gateway may put one error into another's text.
    """
    if isinstance(told, str):
        return Told(tidied(told))
    if isinstance(told, list):
        return read_told(told[0]) if told else Told("")
    if not isinstance(told, dict):
        return Told("")
    inner = told.get("error")
    if isinstance(inner, dict | list) or (isinstance(inner, str) and not _text(told, "message")):
        found = read_told(inner)
        if found.message or found.code:
            return found
    message = next((m for name in ("message", "detail", "msg", "title") if (m := _text(told, name))), "")
    code = _text(told, "code")
    kind = _text(told, "type")
    if kind in _KEY_CODES or (not code and kind not in {"", "error", "invalid_request_error"}):
        code = code if code in _MODEL_CODES else kind
    return Told(tidied(message), tidied(code) or None, _text(told, "param") or None)


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        return read_told(value).message or (json.dumps(value)[:_MOST_CHARS] if value else "")
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def read_body(body: bytes) -> Told:
    """Read the body of an HTTP answer: JSON, a page (only its title says something), or a text."""
    text = body.decode("utf-8", "replace").strip()
    try:
        return read_told(json.loads(text))
    except (ValueError, RecursionError):
        pass
    if re.match(r"\s*<(!doctype|html|\?xml|head|body)", text, re.IGNORECASE):
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        return Told(f"a web page, {tidied(title[1])!r}" if title else "a web page")
    return Told(tidied(text))


# ---------------------------------------------------------------------------------------- which error that is


def refuses_dialect(told: object) -> bool:
    """Whether a server says by this `error` that it wants to be addressed in the other dialect."""
    return _is_dialect(read_told(told))


def _is_dialect(told: Told) -> bool:
    return told.code in _DIALECT_CODES or (
        bool(_DIALECT_WORDS.search(told.message)) and not _is_model(told) and told.code not in _KEY_CODES
    )


def _is_model(told: Told) -> bool:
    # An error may be about another model than the one that answers: the one that transcribes, say.
    return told.code in _MODEL_CODES or (
        told.param in {None, "model"} and bool(_MODEL_WORDS.search(told.message))
    )


def _is_key(told: Told) -> bool:
    return told.code in _KEY_CODES or bool(_KEY_WORDS.search(told.message))


def error_of(told: object) -> GipError:
    """The exception for an `error` event of the server, or for its `error` object."""
    found = read_told(told)
    message = found.message or "the server gave no reason"
    if found.code and found.code not in message:
        message = f"{message} ({found.code})"
    if _is_dialect(found):
        return dialect_refused(message)
    if _is_model(found):
        return UnknownModel(message, _LIST_MODELS)
    if _is_key(found):
        return KeyRefused(message, _CHECK_KEY)
    return ServerError(message, _NEXT_STEPS.get(found.code or "", _LOOK), found.code)


def error_of_failure(failure: Failed) -> GipError:
    """The exception for what the protocol says has failed, or may not be asked for."""
    if failure.code == OVER_BUDGET and failure.next_step:
        return BudgetSpent(failure.message, failure.next_step)
    if failure.code == HUNG:
        return TimedOut(failure.message, failure.next_step)
    return error_of({"message": failure.message, "code": failure.code})


def ends_session(error: GipError) -> bool:
    """Whether the server closes after this error: then it is the reason, and not that it closed."""
    return isinstance(error, KeyRefused | UnknownModel) or (
        isinstance(error, ServerError) and error.code == "session_expired"
    )


def dialect_refused(message: str, code: str = "beta_api_shape_disabled") -> DialectRefused:
    """The exception for a server that wants the other dialect."""
    return DialectRefused(
        message, "leave out dialect=...: with dialect='auto' the one that the server speaks is found.", code
    )


def error_of_close(code: int, reason: str, next_step: str) -> GipError:
    """The exception for a connection that the server ended.

    Args:
        code: of the close; 1006 where there was no close frame.
        reason: what the server said; often a code alone or after its type, as in
            `invalid_request_error.model_not_found`.
        next_step: where the reason is nothing that is known here.
    """
    words = reason.strip().split(".")
    told = Told(tidied(reason), words[-1] if all(word.isidentifier() for word in words) else None)
    said = f": {told.message}" if told.message else ""
    message = f"the server ended the connection (code {code}{said})"
    if _is_dialect(told):
        return dialect_refused(message)
    if _is_model(told):
        return UnknownModel(message, _LIST_MODELS)
    if _is_key(told) or code in _KEY_CLOSES:
        return KeyRefused(message, _CHECK_KEY)
    return ConnectionDropped(message, next_step)


def error_of_refusal(
    status: int, body: bytes, address: str, model: str, retry_after_s: float | None = None
) -> GipError:
    """The exception for a handshake that was answered with something else than a WebSocket.

    Args:
        status: of the HTTP answer.
        body: of the answer, the key scrubbed from it.
        address: that was dialled.
        model: that was asked for.
        retry_after_s: what it asks for.
    """
    told = read_body(body)
    said = f" and said {told.message!r}" if told.message else ""
    message = f"{address} refused the connection (HTTP {status}){said}"
    if _is_dialect(told):
        return dialect_refused(message)
    if _is_model(told):
        return UnknownModel(f"{address} has no model {model!r} (HTTP {status}){said}", _LIST_MODELS)
    if status in _UNAUTHORIZED:
        return KeyRefused(f"{address} refused the API key (HTTP {status}){said}", _CHECK_KEY)
    return ConnectionRefused(message, _next_step_of(status, told, model), status, retry_after_s)


def _next_step_of(status: int, told: Told, model: str) -> str:
    if told.code in _NEXT_STEPS:
        return _NEXT_STEPS[told.code]
    if status == 429:  # noqa: PLR2004 - too many requests
        return "wait a little and try again; if it stays so, look at the account's limits."
    if status >= 500:  # noqa: PLR2004 - the server's own trouble
        return "this is trouble at the server: try again later, or ask those who run it."
    return (
        f"check base_url: it is the API's root, such as 'https://host/v1'; and the model's name, {model!r} "
        "(gip_nb.models() lists those that there are)."
    )
