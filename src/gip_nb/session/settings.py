"""Where model, address, key and options come from: arguments, environment, a `.env` beside the notebook."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from gip_nb.errors import BadSetting, MissingKey, UnknownOption
from gip_nb.protocol.dialects import session_to_canonical
from gip_nb.session.base_url import DEFAULT_BASE_URL, read_base_url

__all__ = [
    "DEFAULT_BASE_URL",
    "DEFAULT_MODEL",
    "REHEARSAL",
    "Secret",
    "Settings",
    "canonical_session",
    "check_options",
    "check_update",
    "conceal",
    "nearest",
    "resolve",
    "resolve_gateway",
]

DEFAULT_MODEL = "openai/gpt-4o-realtime-preview-2024-12-17"
REHEARSAL = "rehearsal"
_TRANSCRIPTION_MODEL = "whisper-1"
_DIALECTS = ("auto", "beta", "ga")
_SHORTEST_SECRET = 8
_TURN_DETECTION = ("server_vad", "semantic_vad", "none")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

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
# What a running session may change.
UPDATE_OPTIONS = SESSION_OPTIONS | {"instructions", "tools", "transcription", "turn_detection", "voice"}


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
    extra_query: dict[str, str] = field(default_factory=dict, repr=False)

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


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, None where none is like it."""
    by_lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower().replace("-", "_"), by_lower, n=1, cutoff=0.6)
    return by_lower[near[0]] if near else None


def check_options(options: Mapping[str, object]) -> None:
    """Raise for a keyword that is none of the session's.

    Raises:
        UnknownOption: with the nearest known name.
    """
    known = SESSION_OPTIONS | NAMED_OPTIONS
    for name in options:
        if name not in SESSION_OPTIONS | {"extra_headers", "extra_query"}:
            raise UnknownOption(name, nearest(name, known), known)


def check_update(fields: Mapping[str, object]) -> None:
    """Raise for what a running session cannot change.

    Raises:
        UnknownOption: with the nearest name of those that it can.
        BadSetting: an option of `talk()` and `connect()` that holds for a whole session.
    """
    for name in fields:
        if name in NAMED_OPTIONS - UPDATE_OPTIONS:
            raise BadSetting(
                f"{name} cannot change while a session runs",
                f"close it and begin another: talk({name}=...) or connect({name}=...).",
            )
        if name not in UPDATE_OPTIONS:
            raise UnknownOption(name, nearest(name, UPDATE_OPTIONS), UPDATE_OPTIONS)
    tools = fields.get("tools")
    if tools is not None and not (
        isinstance(tools, list | tuple) and all(isinstance(t, Mapping) for t in tools)
    ):
        raise BadSetting(
            f"tools is {type(tools).__name__} of something else than the API's objects",
            "give functions to talk(tools=[...]) or connect(tools=[...]); update() takes the API's objects: "
            "[{'type': 'function', 'name': ...}].",
        )


class _Sources(NamedTuple):
    """What was named, in an argument or in the environment.

    Attributes:
        model: None where none was named.
        base_url: None where none was named; still as it was written.
        named_as: where the address was named.
        api_key: None where there is none.
    """

    model: str | None
    base_url: str | None
    named_as: str
    api_key: Secret | None


def _sources(
    model: str | None,
    base_url: str | None,
    api_key: str | Secret | None,
    environment: Mapping[str, str] | None,
) -> _Sources:
    _check_texts(model=model, base_url=base_url)
    given = _environment() if environment is None else environment
    key = _key(api_key)
    return _Sources(
        model=(model or given.get("GIP_MODEL") or "").strip() or None,
        base_url=base_url or given.get("GIP_BASE_URL") or None,
        named_as="base_url" if base_url else "GIP_BASE_URL",
        api_key=key if key is not None else _key(given.get("GIP_API_KEY"), "GIP_API_KEY"),
    )


def resolve_gateway(
    base_url: str | None = None,
    *,
    api_key: str | Secret | None = None,
    environment: Mapping[str, str] | None = None,
    extra_headers: Mapping[str, str] | None = None,
    extra_query: Mapping[str, str] | None = None,
) -> Settings:
    """Settings for a question to the gateway itself, whatever the model; see `resolve`.

    Without a key and without an address it is the rehearsal server.

    Raises:
        BadSetting: for a value that cannot be.
        MissingKey: for an address without a key.
    """
    found = _sources(None, base_url, api_key, environment)
    rehearsal = found.api_key is None and not base_url
    if not rehearsal and found.api_key is None:
        raise MissingKey(None)
    return Settings(
        model=REHEARSAL if rehearsal else found.model or DEFAULT_MODEL,
        base_url="" if rehearsal else read_base_url(found.base_url or DEFAULT_BASE_URL, found.named_as),
        api_key=found.api_key,
        dialect="auto",
        rehearsal=rehearsal,
        extra_headers=_headers(extra_headers),
        extra_query=_texts("extra_query", extra_query),
    )


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
    found = _sources(model, base_url, api_key, environment)
    named, key = found.model, found.api_key
    if dialect not in _DIALECTS:
        raise BadSetting(f"dialect {dialect!r}", "use 'auto', 'beta' or 'ga'.")
    if named is not None and named.startswith("sk-"):
        # Not shown: it may be one.
        raise BadSetting(
            "the model's name looks like an API key", "pass it as api_key=..., or set GIP_API_KEY."
        )
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
    query = _texts("extra_query", options.get("extra_query"))
    if "model" in query:
        raise BadSetting("extra_query names a model", "the model goes to model=... instead.")
    return Settings(
        model=REHEARSAL if rehearsal else named or DEFAULT_MODEL,
        base_url="" if rehearsal else read_base_url(found.base_url or DEFAULT_BASE_URL, found.named_as),
        api_key=None if rehearsal else key,
        dialect=dialect,  # type: ignore[arg-type]  # checked against _DIALECTS above
        rehearsal=rehearsal,
        session=session,
        extra_headers=_headers(options.get("extra_headers")),
        extra_query=query,
    )


def _key(given: object, name: str = "api_key") -> Secret | None:
    """The key, wrapped at once.

    Raises:
        BadSetting: it is no text, or no header can carry it; the value is not shown.
    """
    if given is None:
        return None
    if not isinstance(given, str | Secret):
        raise BadSetting(f"{name} is a {type(given).__name__}", f"give {name} as text.")
    # A key that was read from a file may bring its line's end along.
    key = Secret((given.reveal() if isinstance(given, Secret) else given).strip())
    if key.reveal()[:7].lower() == "bearer ":
        raise BadSetting(f"{name} begins with 'Bearer'", "give the key alone, what stands after it.")
    for at, character in enumerate(key.reveal()):
        if not "!" <= character <= "~":
            raise BadSetting(
                f"{name} holds a character that no key has, a {_called(character)} at position {at}",
                "copy the key once more, whole: some pages show it shortened.",
            )
    return key if key.reveal() else None


def _called(character: str) -> str:
    if character.isspace():
        return "space or line's end"
    return "control character" if character.isascii() else "letter or sign beyond ASCII"


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
    for key, value in given.items():
        if not isinstance(value, str | int | float):
            raise BadSetting(
                f"{name}[{key!r}] is a {type(value).__name__}", "give it as text, or leave it out."
            )
    return {str(k): str(v) for k, v in given.items()}


def _headers(given: object) -> dict[str, str]:
    """The headers, none of which can end the line and begin another. Values may be secret: none is shown.

    Raises:
        BadSetting: naming the header.
    """
    headers = _texts("extra_headers", given)
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name):
            raise BadSetting(
                f"extra_headers names {name!r}, which is no header's name",
                "use letters, digits and hyphens, such as 'X-Team'.",
            )
        if not (value.isascii() and value.isprintable()):
            raise BadSetting(
                f"extra_headers[{name!r}] holds what a header cannot carry",
                "give it in printable ASCII, on one line.",
            )
    return headers


def _environment() -> Mapping[str, str]:
    from dotenv import dotenv_values

    beside = Path(".env")
    try:
        # Windows' editors begin a file with a mark, which would become part of the first name.
        from_file = dotenv_values(beside, encoding="utf-8-sig") if beside.is_file() else {}
    except (OSError, UnicodeDecodeError):
        from_file = None
    if from_file is None:
        # Said here, without the error that was caught: that one carries the file's bytes, the key among them.
        raise BadSetting(
            f"{str(beside.absolute())!r} cannot be read as UTF-8 text",
            "save it as UTF-8 where this kernel may read it, or move it away.",
        )
    # An empty variable says nothing, and hides nothing.
    return {k: v for source in (from_file, os.environ) for k, v in source.items() if v}


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
        BadSetting: for a value that cannot be, and for what holds for a whole session.
    """
    _check_texts(instructions=instructions, voice=voice)
    check_update(fields)
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
            near = nearest(given, _TURN_DETECTION)
            hint = f"did you mean {near!r}? " if near else ""
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
