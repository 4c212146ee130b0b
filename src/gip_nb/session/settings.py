"""Where model, address, key and options come from: arguments, environment, a `.env` beside the notebook."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from gip_nb.errors import BadSetting, MissingKey
from gip_nb.protocol.budget import budget_of, must_have_price
from gip_nb.protocol.deadlines import RESPONSE_TIMEOUT_S, response_timeout_of
from gip_nb.protocol.prices import PACKAGED, REHEARSAL, Prices, read_prices
from gip_nb.protocol.reconnection import Reconnect, read_reconnect
from gip_nb.protocol.retries import Retry, retry_of
from gip_nb.session.base_url import DEFAULT_BASE_URL, read_base_url
from gip_nb.session.history_option import read_history
from gip_nb.session.log_option import DEFAULT_LIMIT_BYTES, read_limit, read_log
from gip_nb.session.options import (
    SESSION_OPTIONS,
    canonical_session,
    check_options,
    check_texts,
    overlaid,
)

__all__ = [
    "DEFAULT_BASE_URL",
    "DEFAULT_MODEL",
    "REHEARSAL",
    "Secret",
    "Settings",
    "canonical_session",
    "conceal",
    "resolve",
    "resolve_gateway",
    "resolve_prices",
    "with_changes",
]

DEFAULT_MODEL = "openai/gpt-4o-realtime-preview-2024-12-17"
_DIALECTS = ("auto", "beta", "ga")
_SHORTEST_SECRET = 8
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Secret:
    """A key that shows itself to nobody by accident: not in a repr, a log line, a traceback or a pickle."""

    __slots__ = ("_bytes", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        self._bytes = value.encode("utf-8", "surrogatepass")

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
        scrubbed = frame.replace(self._bytes, b"[key]")
        if b"\\" in scrubbed:
            # An escape may hide it. Only a frame that does is written anew.
            try:
                plain = msgspec.json.encode(msgspec.json.decode(scrubbed))
            except (msgspec.MsgspecError, UnicodeError, RecursionError):
                return scrubbed
            if self._bytes in plain:
                return plain.replace(self._bytes, b"[key]")
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
        prices: of models, the user's own among them.
        budget_usd: the most that a session may cost; None for no limit.
        history: canonical items of an earlier talk, which each session begins with.
        log: in this folder each session writes itself into one of its own; None: nothing is written.
        log_limit_bytes: how much that may hold.
        retry: how responses that failed are asked for again.
        response_timeout_s: how long one may be silent while it is generated; None: for ever.
        reconnect: how it comes back when its connection is lost; None: that is its end.
    """

    model: str
    base_url: str
    api_key: Secret | None
    dialect: Literal["auto", "beta", "ga"]
    rehearsal: bool
    session: dict[str, Any] = field(default_factory=dict)
    extra_headers: dict[str, str] = field(default_factory=dict, repr=False)
    extra_query: dict[str, str] = field(default_factory=dict, repr=False)
    prices: Prices = PACKAGED
    budget_usd: float | None = None
    history: tuple[dict[str, Any], ...] = field(default=(), repr=False)
    log: Path | None = None
    log_limit_bytes: int = DEFAULT_LIMIT_BYTES
    retry: Retry = field(default_factory=Retry)
    response_timeout_s: float | None = RESPONSE_TIMEOUT_S
    reconnect: Reconnect | None = field(default_factory=Reconnect)

    def scrub(self, frame: bytes) -> bytes:
        """A frame with the key written `[key]`: what anything that outlives the kernel is given."""
        return frame if self.api_key is None else self.api_key.scrub(frame)

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


class _Sources(NamedTuple):
    """What was named, in an argument or in the environment.

    Attributes:
        model: None where none was named.
        base_url: None where none was named; still as it was written.
        named_as: where the address was named.
        api_key: None where there is none.
        environment: what else is set there.
    """

    model: str | None
    base_url: str | None
    named_as: str
    api_key: Secret | None
    environment: Mapping[str, str]


def _sources(
    model: str | None,
    base_url: str | None,
    api_key: str | Secret | None,
    environment: Mapping[str, str] | None,
) -> _Sources:
    check_texts(model=model, base_url=base_url)
    given = _environment() if environment is None else environment
    key = _key(api_key)
    return _Sources(
        model=(model or given.get("GIP_MODEL") or "").strip() or None,
        base_url=base_url or given.get("GIP_BASE_URL") or None,
        named_as="base_url" if base_url else "GIP_BASE_URL",
        api_key=key if key is not None else _key(given.get("GIP_API_KEY"), "GIP_API_KEY"),
        environment=given,
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
    prices: Mapping[str, Any] | str | Path | None = None,
    budget_usd: float | str | None = None,
    history: object = (),
    log: str | os.PathLike[str] | Literal[False] | None = None,
    log_limit_bytes: int | None = None,
    retry: bool | Retry | Mapping[str, Any] = True,
    response_timeout_s: float | None = RESPONSE_TIMEOUT_S,
    reconnect: bool | Mapping[str, Any] | Reconnect = True,
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
        prices: the user's own, see `read_prices`; else the file that `GIP_PRICES` names.
        budget_usd: the most that a session may cost; else `GIP_BUDGET_USD`.
        history: items of an earlier talk, as the API writes them, in either dialect.
        log: the folder in which each session writes itself into one of its own; else `GIP_LOG`; False: none.
        log_limit_bytes: how much that may hold.
        retry: whether and how responses that failed are asked for again, see `Retry`.
        response_timeout_s: how long a response may be silent while it is generated; None: for ever.
        reconnect: whether a lost connection comes back, or how: `Reconnect`, or a dict of its fields.
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
    known_prices = resolve_prices(prices, found.environment)
    resolved = REHEARSAL if rehearsal else named or DEFAULT_MODEL
    return Settings(
        model=resolved,
        base_url="" if rehearsal else read_base_url(found.base_url or DEFAULT_BASE_URL, found.named_as),
        api_key=None if rehearsal else key,
        dialect=dialect,  # type: ignore[arg-type]  # checked against _DIALECTS above
        rehearsal=rehearsal,
        session=session,
        extra_headers=_headers(options.get("extra_headers")),
        extra_query=query,
        prices=known_prices,
        budget_usd=_budget(budget_usd, found.environment, resolved, known_prices),
        history=read_history(history),
        log=read_log(log, found.environment.get("GIP_LOG")),
        log_limit_bytes=read_limit(log_limit_bytes),
        retry=retry_of(retry),
        response_timeout_s=response_timeout_of(response_timeout_s),
        reconnect=read_reconnect(reconnect),
    )


def resolve_prices(
    given: Mapping[str, Any] | str | Path | None, environment: Mapping[str, str] | None = None
) -> Prices:
    """The user's prices over the packaged ones, from the argument or the file that `GIP_PRICES` names.

    Raises:
        BadSetting: they are no prices.
    """
    if given is None:
        given = (_environment() if environment is None else environment).get("GIP_PRICES")
    return read_prices(given)


def _budget(given: object, environment: Mapping[str, str], model: str, prices: Prices) -> float | None:
    """The limit, of a model whose answers have a price.

    Raises:
        BadSetting: it is none, or nobody could count.
    """
    limit_usd = budget_of(given)
    if limit_usd is None:
        limit_usd = budget_of(environment.get("GIP_BUDGET_USD"), "GIP_BUDGET_USD")
        if model == REHEARSAL and prices.of(model) is None:
            # It is for models that cost something; this one does not.
            return None
    if limit_usd is not None:
        must_have_price(model, prices, limit_usd)
    return limit_usd


def with_changes(settings: Settings, fields: Mapping[str, Any]) -> Settings:
    """Settings for a session that begins with what an update would have changed.

    Args:
        settings: as they were.
        fields: as `AsyncRealtimeSession.update` takes them. A None takes back what was asked for; where the
            API has an "off" it is that.

    Raises:
        UnknownOption: a field that is none.
        BadSetting: a value that cannot be, or that holds for a whole session.
    """
    return replace(settings, session=overlaid(settings.session, canonical_session(**fields)))


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
        # Windows' editors begin a file with a mark, which older versions of dotenv take for part of a name.
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
