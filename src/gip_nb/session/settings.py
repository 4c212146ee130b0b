"""Where model, address, key and options come from: arguments, environment, a `.env` beside the notebook."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec

from gip_nb.errors import BadSetting, MissingKey, UnknownOption
from gip_nb.protocol.dialects import session_to_canonical

__all__ = [
    "DEFAULT_BASE_URL",
    "DEFAULT_MODEL",
    "REHEARSAL",
    "Secret",
    "Settings",
    "canonical_session",
    "check_options",
    "conceal",
    "resolve",
]

DEFAULT_BASE_URL = "https://api.platform.a15t.com/v1"
DEFAULT_MODEL = "openai/gpt-4o-realtime-preview-2024-12-17"
REHEARSAL = "rehearsal"
_TRANSCRIPTION_MODEL = "whisper-1"
_DIALECTS = ("auto", "beta", "ga")
_SHORTEST_SECRET = 8
_TURN_DETECTION = ("server_vad", "semantic_vad", "none")

# What may stand in `**session`, in either dialect's name, beside the named arguments of talk() and connect().
SESSION_OPTIONS = frozenset(
    {
        "audio",
        "include",
        "input_audio_format",
        "input_audio_noise_reduction",
        "input_audio_transcription",
        "max_output_tokens",
        "max_response_output_tokens",
        "modalities",
        "output_audio_format",
        "output_modalities",
        "parallel_tool_calls",
        "prompt",
        "reasoning",
        "speed",
        "temperature",
        "tool_choice",
        "tracing",
        "truncation",
    }
)
NAMED_OPTIONS = frozenset(
    {
        "api_key",
        "base_url",
        "dialect",
        "extra_headers",
        "extra_query",
        "instructions",
        "model",
        "tools",
        "transcription",
        "turn_detection",
        "voice",
    }
)


class Secret:
    """A key that shows itself to nobody by accident: not in a repr, a log line, a traceback or a pickle."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself. Only the transport has a use for it."""
        return self._value

    def __repr__(self) -> str:
        return "[key]"

    def __reduce__(self) -> str:
        """Refuse to be pickled: a pickle would carry the key away.

        Raises:
            TypeError: always.
        """
        message = "a Secret is not pickled"
        raise TypeError(message)

    def scrub(self, frame: bytes) -> bytes:
        """A frame with the key written `[key]`, however its JSON writes it.

        A key under 8 characters is left: such a one is a word of a test, and stands in every other frame.
        """
        if len(self._value) < _SHORTEST_SECRET:
            return frame
        scrubbed = frame.replace(self._value.encode(), b"[key]")
        if b"\\" in scrubbed:
            # An escape may hide it. Only a frame that does is written anew.
            try:
                plain = msgspec.json.encode(msgspec.json.decode(scrubbed))
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                return scrubbed
            if self._value.encode() in plain:
                return plain.replace(self._value.encode(), b"[key]")
        return scrubbed

    def scrub_text(self, text: str) -> str:
        """`text` with the key written `[key]`."""
        return text.replace(self._value, "[key]") if len(self._value) >= _SHORTEST_SECRET else text


def conceal(options: dict[str, Any]) -> dict[str, Any]:
    """The options with their key as a `Secret`: a verbose traceback prints the variables of its frames."""
    key = options.get("api_key")
    return {**options, "api_key": Secret(key)} if isinstance(key, str) and key.strip() else options


@dataclass(frozen=True)
class Settings:
    """All that a session needs to know before it connects.

    Attributes:
        model: the id as the server knows it, its provider prefix included.
        base_url: http or https, without `/realtime`; empty for the rehearsal server, whose address is known
            once it runs.
        api_key: None for the rehearsal server, which tells its own.
        dialect: `auto`, `beta` or `ga`.
        rehearsal: talk to the embedded realtime server.
        session: canonical session fields to ask for.
        extra_headers, extra_query: go along with the handshake.
    """

    model: str
    base_url: str
    api_key: Secret | None
    dialect: Literal["auto", "beta", "ga"]
    rehearsal: bool
    session: dict[str, Any] = field(default_factory=dict)
    extra_headers: dict[str, str] = field(default_factory=dict, repr=False)
    extra_query: dict[str, str] = field(default_factory=dict)

    @property
    def first_dialect(self) -> Literal["beta", "ga"]:
        """The dialect to try first: preview models were made for beta."""
        if self.dialect != "auto":
            return self.dialect
        return "beta" if self.rehearsal or "-preview" in self.model else "ga"

    @property
    def websocket_base_url(self) -> str:
        """`base_url` as ws or wss."""
        return "ws" + self.base_url.removeprefix("http")


def check_options(options: Mapping[str, object]) -> None:
    """Raise for a keyword that is none of the session's.

    Raises:
        UnknownOption: with the nearest known name.
    """
    known = SESSION_OPTIONS | NAMED_OPTIONS
    for name in options:
        if name not in SESSION_OPTIONS | {"extra_headers", "extra_query"}:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            raise UnknownOption(name, near[0] if near else None, known)


def resolve(
    model: str | None = None,
    *,
    base_url: str | None = None,
    api_key: str | Secret | None = None,
    instructions: str | None = None,
    voice: str | None = None,
    turn_detection: str | Mapping[str, Any] | None = "server_vad",
    transcription: bool | str | Mapping[str, Any] = True,
    dialect: str = "auto",
    environment: Mapping[str, str] | None = None,
    **options: Any,
) -> Settings:
    """Settings from arguments, environment and `.env`, in that order.

    Args:
        model: id with its provider prefix, or `rehearsal`.
        base_url: http, https, ws or wss, with or without `/realtime`.
        api_key: the gateway's key.
        instructions: the system prompt.
        voice: the model's voice.
        turn_detection: `server_vad`, `semantic_vad`, None (push to talk) or the API's object.
        transcription: of the user's words: on, off, a model's name or the API's object.
        dialect: `auto`, `beta` or `ga`.
        environment: instead of `os.environ` and `.env` (tests).
        **options: further session fields in either dialect's name; `extra_headers`, `extra_query`.

    Raises:
        UnknownOption: for a keyword that is none.
        BadSetting: for a value that cannot be.
        MissingKey: for a model without a key.
    """
    check_options(options)
    _check_texts(model=model, base_url=base_url, instructions=instructions, voice=voice)
    given = _environment() if environment is None else environment
    key = _key(api_key or given.get("GIP_API_KEY"))
    address = base_url or given.get("GIP_BASE_URL") or ""
    named = model or given.get("GIP_MODEL") or None
    if dialect not in _DIALECTS:
        raise BadSetting(f"dialect {dialect!r}", "use 'auto', 'beta' or 'ga'.")
    rehearsal = named == REHEARSAL or (named is None and key is None and not base_url)
    if not rehearsal and key is None:
        raise MissingKey(named or DEFAULT_MODEL)
    session = canonical_session(
        instructions=instructions,
        voice=voice,
        turn_detection=turn_detection,
        transcription=transcription,
        **{k: v for k, v in options.items() if k in SESSION_OPTIONS},
    )
    return Settings(
        model=REHEARSAL if rehearsal else named or DEFAULT_MODEL,
        base_url="" if rehearsal else _base_url(address or DEFAULT_BASE_URL),
        api_key=None if rehearsal else key,
        dialect=dialect,  # type: ignore[arg-type]  # checked against _DIALECTS above
        rehearsal=rehearsal,
        session=session,
        extra_headers=_texts("extra_headers", options.get("extra_headers")),
        extra_query=_texts("extra_query", options.get("extra_query")),
    )


def _key(given: object) -> Secret | None:
    """The key, wrapped at once.

    Raises:
        BadSetting: it is no text; the value is not shown.
    """
    if given is None or isinstance(given, Secret):
        return given
    if not isinstance(given, str):
        raise BadSetting(f"api_key is a {type(given).__name__}", "give api_key as text.")
    # A key that was read from a file may bring its line's end along, which no header can carry.
    return Secret(given.strip()) if given.strip() else None


def _check_texts(**given: object) -> None:
    """Raise for what is no text.

    Raises:
        BadSetting: naming the option and the type.
    """
    for name, value in given.items():
        if value is not None and not isinstance(value, str):
            raise BadSetting(f"{name} is a {type(value).__name__}", f"give {name} as text.")


def _texts(name: str, given: object) -> dict[str, str]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise BadSetting(f"{name} is a {type(given).__name__}", f"give {name} as a dict.")
    return {str(k): str(v) for k, v in given.items()}


def _environment() -> Mapping[str, str]:
    from dotenv import dotenv_values

    beside = Path.cwd() / ".env"
    try:
        from_file = dotenv_values(beside) if beside.is_file() else {}
    except (OSError, UnicodeDecodeError):
        from_file = None
    if from_file is None:
        # Said here, without the error that was caught: that one carries the file's bytes, the key among them.
        raise BadSetting(
            f"{str(beside)!r} cannot be read as UTF-8 text", "save it as UTF-8, or move it away."
        )
    # An empty variable says nothing, and hides nothing.
    return {k: v for source in (from_file, os.environ) for k, v in source.items() if v}


def _base_url(given: str) -> str:
    """Any form of the address as http(s), without `/realtime` and without a closing slash.

    Raises:
        BadSetting: for an address of another scheme, without a host, or with a query of its own.
    """
    try:
        parts = urlsplit(given.strip())
        # Asking is what checks the port.
        host = parts.hostname if parts.port != 0 else None
    except ValueError:
        parts, host = urlsplit(""), None
    scheme = {"http": "http", "ws": "http", "https": "https", "wss": "https"}.get(parts.scheme)
    if scheme is None or not host:
        raise BadSetting(
            f"base_url {given!r}", f"give an address such as {DEFAULT_BASE_URL!r}: http, https, ws or wss."
        )
    if parts.query:
        raise BadSetting(
            f"base_url with a query, {parts.query!r}",
            "end it before the '?'; the model goes to model=..., the rest to extra_query={...}.",
        )
    path = parts.path.rstrip("/").removesuffix("/realtime").rstrip("/")
    return urlunsplit((scheme, parts.netloc, path, "", ""))


def canonical_session(
    *,
    instructions: str | None = None,
    voice: str | None = None,
    turn_detection: object = ...,
    transcription: bool | str | Mapping[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Canonical session fields from our short options and the API's own, either dialect; only what is given.

    Args:
        instructions: the system prompt.
        voice: the model's voice.
        turn_detection: as in `resolve`; `...` is "not given", since None means push to talk.
        transcription: as in `resolve`; None is "not given".
        **fields: session fields in either dialect's name; `tools` as the API's objects.

    Raises:
        UnknownOption: for a field that is none.
        BadSetting: for a value that cannot be.
    """
    check_options({k: v for k, v in fields.items() if k != "tools"})
    session = session_to_canonical(dict(fields), None)
    if instructions is not None:
        session["instructions"] = instructions
    if voice is not None:
        _input_or_output(session, "output")["voice"] = voice
    if turn_detection is not ...:
        _input_or_output(session, "input").setdefault("turn_detection", _turn_detection(turn_detection))
    if transcription is not None:
        _input_or_output(session, "input").setdefault("transcription", _transcription(transcription))
    return session


def _transcription(given: object) -> dict[str, Any] | None:
    if given is False:
        return None
    if given is True:
        return {"model": _TRANSCRIPTION_MODEL}
    if isinstance(given, str):
        return {"model": given}
    if isinstance(given, Mapping):
        return dict(given)
    raise BadSetting(f"transcription {given!r}", "use True, False, a model's name or the API's object.")


def _input_or_output(session: dict[str, Any], side: str) -> dict[str, Any]:
    audio = session.setdefault("audio", {})
    found = audio.setdefault(side, {}) if isinstance(audio, dict) else None
    if not isinstance(found, dict):
        raise BadSetting(f"audio {audio!r}", "give it as the API does: {'input': {...}, 'output': {...}}.")
    return found


def _turn_detection(given: object) -> dict[str, Any] | None:
    if given is None or given == "none":
        return None
    if isinstance(given, str):
        if given not in _TURN_DETECTION:
            near = difflib.get_close_matches(given, _TURN_DETECTION, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise BadSetting(
                f"turn_detection {given!r}",
                f"{hint}use 'server_vad', 'semantic_vad', None or the API's object.",
            )
        return {"type": given}
    if isinstance(given, Mapping):
        return dict(given)
    raise BadSetting(
        f"turn_detection {given!r}", "use 'server_vad', 'semantic_vad', None or the API's object."
    )
