"""Beta and GA: one conversation, two ways to write it down.

Everything between the two ends of this package is canonical: GA names, GA shapes. Here stands how a wire of
either dialect is read into that and written from it. What differs is rows of a table: which name, at which
place, with which value.

Reading is forgiving: either dialect's shapes are understood whatever the dialect is said to be, since
gateways mix them. Writing is strict: what only the other dialect knows is left out. Types and fields that no
table names pass through as they are.

Every function gives back a new dict and leaves its argument as it was; parts that needed no change are shared
between the two, so treat them as read only. All of them are pure and may be called from any thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from gip_nb.protocol.events import ALIASES, BETA, CLIENT_EVENTS, GA, SERVER_EVENTS, Dialect, Event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "Dialect",
    "canonical_type",
    "client_event_to_canonical",
    "client_event_to_wire",
    "server_event_to_canonical",
    "server_event_to_wire",
    "session_to_canonical",
    "session_to_wire",
    "wire_type",
]

# ------------------------------------------------------------------------------------------------------ names

_SPECS = {**CLIENT_EVENTS, **SERVER_EVENTS}
_BETA_NAMES = {canonical: spec.beta for canonical, spec in _SPECS.items() if spec.beta is not None}
_CANONICAL_NAMES = {**{beta: canonical for canonical, beta in _BETA_NAMES.items()}, **ALIASES}
_TRANSCRIPTION_NAMES = {
    canonical: alias for alias, canonical in ALIASES.items() if alias.startswith("transcription_session.")
}


def canonical_type(wire_type: str) -> str:
    """The canonical name of an event, whichever dialect's name is given; an unknown name is its own.

    One dict look-up: this runs for every frame.
    """
    return _CANONICAL_NAMES.get(wire_type, wire_type)


def wire_type(canonical: str, dialect: Dialect) -> str:
    """What a dialect calls an event; the canonical name where it has no such event or no other name.

    Events of transcription sessions, which have names of their own in beta, are told apart by their session's
    type: see `client_event_to_wire` and `server_event_to_wire`.
    """
    return canonical if dialect == GA else _BETA_NAMES.get(canonical, canonical)


# ----------------------------------------------------------------------------------------------------- values


class _Value(NamedTuple):
    """How one value is read from either shape, and written in beta's; GA writes the canonical one."""

    read: Callable[[object], object]
    write_beta: Callable[[object], object]


def _as_is(value: object) -> object:
    return value


def _read_modalities(value: object) -> object:
    """GA answers in sound or in text and never in both: sound brings its transcript along."""
    return ["audio"] if isinstance(value, list) and "audio" in value else value


def _write_modalities(value: object) -> object:
    return ["text", "audio"] if value == ["audio"] else value


_FORMATS: Mapping[str, dict[str, object]] = {
    "pcm16": {"type": "audio/pcm", "rate": 24_000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}


def _read_format(value: object) -> object:
    known = _FORMATS.get(value) if isinstance(value, str) else None
    return value if known is None else dict(known)


def _write_format(value: object) -> object:
    if isinstance(value, dict):
        for name, known in _FORMATS.items():
            # The rate may be left out. One that beta has no word for stays, for the server to refuse.
            if value == known or value == {"type": known["type"]}:
                return name
    return value


def _read_tool_choice(value: object) -> object:
    """Beta is documented with the function's name one level down."""
    match value:
        case {"type": "function", "function": {"name": name}}:
            return {"type": "function", "name": name}
        case _:
            return value


def _write_tool_choice(value: object) -> object:
    """MCP beta has not. The object that names a function stays: servers take it, though models say `str`."""
    return "auto" if isinstance(value, dict) and value.get("type") == "mcp" else value


def _write_tools(value: object) -> object:
    if not isinstance(value, list):
        return value
    return [tool for tool in value if not (isinstance(tool, dict) and tool.get("type") == "mcp")]


def _without(*ga_only: str) -> _Value:
    """A dict of which beta does not know these keys."""

    def write_beta(value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {key: inner for key, inner in value.items() if key not in ga_only}

    return _Value(_as_is, write_beta)


def _write_usage(value: object) -> object:
    if not isinstance(value, dict):
        return value
    known = _without("cached_tokens_details", "image_tokens").write_beta
    return {key: known(inner) if key == "input_token_details" else inner for key, inner in value.items()}


_CONTENT_READ = {"text": "output_text", "audio": "output_audio"}
_CONTENT_WRITTEN = {ga: beta for beta, ga in _CONTENT_READ.items()}


def _renamed_content(item: object, names: Mapping[str, str]) -> object:
    """An item with its assistant content under other names; users' and systems' content has one name only."""
    if not isinstance(item, dict) or item.get("role", "assistant") != "assistant":
        return item
    parts = item.get("content")
    if not isinstance(parts, list):
        return item

    def renamed(part: object) -> object:
        if not isinstance(part, dict) or not isinstance(part.get("type"), str) or part["type"] not in names:
            return part
        return {**part, "type": names[part["type"]]}

    return {**item, "content": [renamed(part) for part in parts]}


def _read_item(item: object) -> object:
    return _renamed_content(item, _CONTENT_READ)


def _write_item(item: object) -> object:
    return _renamed_content(item, _CONTENT_WRITTEN)


def _each(change: Callable[[object], object]) -> Callable[[object], object]:
    return lambda value: [change(inner) for inner in value] if isinstance(value, list) else value


_SAME = _Value(_as_is, _as_is)
_MODALITIES = _Value(_read_modalities, _write_modalities)
_FORMAT = _Value(_read_format, _write_format)
_TOOL_CHOICE = _Value(_read_tool_choice, _write_tool_choice)
_TOOLS = _Value(_as_is, _write_tools)
_ITEMS = _Value(_each(_read_item), _each(_write_item))
_USAGE = _Value(_as_is, _write_usage)
_TRANSCRIPTION = _without("delay", "keywords", "languages")
_TURN_DETECTION = _without("idle_timeout_ms")
_NOISE_REDUCTION = _without("strength")

# ----------------------------------------------------------------------------------------------------- shapes


class _Row(NamedTuple):
    """One setting: beta's flat key, the way to it in GA, and its value."""

    beta: str
    ga: tuple[str, ...]
    value: _Value = _SAME


class _Shape(NamedTuple):
    """What differs in one kind of object.

    Attributes:
        rows: settings that have another name, place or value in the other dialect.
        ga_only: canonical keys that are left out for beta.
        beta_only: canonical keys that are left out for GA; they exist because a beta wire had them.
    """

    rows: tuple[_Row, ...]
    ga_only: frozenset[str] = frozenset()
    beta_only: frozenset[str] = frozenset()


_MODALITY_ROWS = (_Row("modalities", ("output_modalities",), _MODALITIES),)
_TOOL_ROWS = (_Row("tools", ("tools",), _TOOLS), _Row("tool_choice", ("tool_choice",), _TOOL_CHOICE))
_LIMIT_ROWS = (_Row("max_response_output_tokens", ("max_output_tokens",)),)
_INPUT_ROWS = (
    _Row("input_audio_format", ("audio", "input", "format"), _FORMAT),
    _Row("input_audio_transcription", ("audio", "input", "transcription"), _TRANSCRIPTION),
    _Row("input_audio_noise_reduction", ("audio", "input", "noise_reduction"), _NOISE_REDUCTION),
    _Row("turn_detection", ("audio", "input", "turn_detection"), _TURN_DETECTION),
)
_OUTPUT_ROWS = (
    _Row("output_audio_format", ("audio", "output", "format"), _FORMAT),
    _Row("voice", ("audio", "output", "voice")),
)
_SPEED_ROWS = (_Row("speed", ("audio", "output", "speed")),)

_SESSION = _Shape(
    (*_MODALITY_ROWS, *_TOOL_ROWS, *_LIMIT_ROWS, *_INPUT_ROWS, *_OUTPUT_ROWS, *_SPEED_ROWS),
    ga_only=frozenset({"include", "parallel_tool_calls", "prompt", "reasoning", "truncation", "type"}),
    beta_only=frozenset({"client_secret", "temperature"}),
)
_TRANSCRIPTION_SESSION = _Shape(
    (*_MODALITY_ROWS, *_INPUT_ROWS),
    ga_only=frozenset({"type"}),
    beta_only=frozenset({"client_secret", "output_modalities"}),
)
# The `response` of a `response.create` and that of the server's events go by the same name and differ.
_RESPONSE_REQUEST = _Shape(
    (*_MODALITY_ROWS, *_TOOL_ROWS, *_LIMIT_ROWS, *_OUTPUT_ROWS, _Row("input", ("input",), _ITEMS)),
    ga_only=frozenset({"parallel_tool_calls", "prompt", "reasoning"}),
    beta_only=frozenset({"temperature"}),
)
_RESPONSE = _Shape(
    (
        *_MODALITY_ROWS,
        *_OUTPUT_ROWS,
        _Row("output", ("output",), _ITEMS),
        _Row("usage", ("usage",), _USAGE),
    ),
    beta_only=frozenset({"temperature"}),
)


def _unshared(value: Mapping[str, object]) -> Event:
    """A copy that can be written to as deep as the rows reach."""
    copy = dict(value)
    audio = copy.get("audio")
    if isinstance(audio, dict):
        copy["audio"] = {key: dict(side) if isinstance(side, dict) else side for key, side in audio.items()}
    return copy


def _holder(node: Event, way: tuple[str, ...]) -> Event | None:
    """The dict in which the last key of a way stands; None where it does not."""
    for key in way[:-1]:
        inner = node.get(key)
        if not isinstance(inner, dict):
            return None
        node = inner
    return node if way[-1] in node else None


def _place(node: Event, way: tuple[str, ...], value: object) -> None:
    """Puts a value at the end of a way, unless there is one already."""
    for key in way[:-1]:
        if not isinstance(node.get(key), dict):
            node[key] = {}
        node = node[key]
    node.setdefault(way[-1], value)


def _read(value: Mapping[str, object], shape: _Shape) -> Event:
    """Either dialect's shape, or a mixture, made canonical. Where both name one setting, GA's place wins."""
    out = _unshared(value)
    for row in shape.rows:
        if row.beta in out and row.ga != (row.beta,):
            _place(out, row.ga, out.pop(row.beta))
        holder = _holder(out, row.ga)
        if holder is not None:
            holder[row.ga[-1]] = row.value.read(holder[row.ga[-1]])
    return out


def _written(value: Mapping[str, object], shape: _Shape, dialect: Dialect) -> Event:
    """The canonical shape into a dialect's."""
    if dialect == GA:
        return {key: inner for key, inner in value.items() if key not in shape.beta_only}
    out = _unshared(value)
    for row in shape.rows:
        holder = _holder(out, row.ga)
        if holder is not None:
            out[row.beta] = row.value.write_beta(holder.pop(row.ga[-1]))
    audio = out.get("audio")
    if isinstance(audio, dict):
        # What no row took is passed on; the dicts that held what was taken are not.
        out["audio"] = audio = {key: side for key, side in audio.items() if side not in ({}, None)}
    if audio in ({}, None):
        out.pop("audio", None)
    return {key: inner for key, inner in out.items() if key not in shape.ga_only}


# ---------------------------------------------------------------------------------------------------- session


def _session_shape(session: Mapping[str, object]) -> _Shape:
    return _TRANSCRIPTION_SESSION if session.get("type") == "transcription" else _SESSION


def session_to_canonical(session: Mapping[str, object], dialect: Dialect | None) -> Event:
    """A session, whole or in part, in the canonical shape.

    Args:
        session: any settings, flat as in beta, nested as in GA, or both in one dict. Where the same setting
            is there twice, the nested one is taken.
        dialect: beta sessions are given the `type` that GA wants to see ("realtime" unless there is one).
            With "ga" or None (settings that a user wrote) no type is added.

    Returns:
        Only what was given: a key that is absent stays absent, and an explicit null stays null.
        `temperature`, which GA has not, is kept.
    """
    out = _read(session, _session_shape(session))
    if dialect == BETA:
        out.setdefault("type", "realtime")
    return out


def session_to_wire(session: Mapping[str, object], dialect: Dialect) -> Event:
    """A canonical session, whole or in part, as a dialect writes it.

    GA always carries `type`, beta never. What the dialect has no word for is left out: `temperature` in GA;
    `truncation`, `prompt`, `include`, `reasoning`, `parallel_tool_calls`, MCP tools and `idle_timeout_ms` in
    beta. An explicit null is written.
    """
    out = _written(_read(session, _session_shape(session)), _session_shape(session), dialect)
    if dialect == GA:
        out.setdefault("type", "realtime")
    return out


# ----------------------------------------------------------------------------------------------------- events


def _mapped(value: object, change: Callable[[Event], object]) -> object:
    return change(value) if isinstance(value, dict) else value


def _event_read(event: Event, dialect: Dialect, response: _Shape) -> Event:
    name = event.get("type")
    canonical = canonical_type(name) if isinstance(name, str) else ""
    if canonical not in _SPECS:
        return dict(event)
    out = {**event, "type": canonical}
    if "item" in out:
        out["item"] = _read_item(out["item"])
    if "response" in out:
        out["response"] = _mapped(out["response"], lambda inner: _read(inner, response))
    if "session" in out:
        # Beta says in the event's name what GA says in the session.
        typed = {"type": "transcription"} if name in _TRANSCRIPTION_NAMES.values() else {}
        out["session"] = _mapped(out["session"], lambda own: session_to_canonical({**typed, **own}, dialect))
    return out


def _event_written(event: Event, dialect: Dialect, response: _Shape) -> Event:
    name = event.get("type")
    if not isinstance(name, str) or name not in _SPECS:
        return dict(event)
    session = event.get("session")
    is_transcription = isinstance(session, dict) and session.get("type") == "transcription"
    out = {**event, "type": wire_type(name, dialect)}
    if "session" in out:
        out["session"] = _mapped(out["session"], lambda inner: session_to_wire(inner, dialect))
    if "response" in out:
        out["response"] = _mapped(out["response"], lambda inner: _written(inner, response, dialect))
    if dialect == GA:
        return out
    if is_transcription:
        out["type"] = _TRANSCRIPTION_NAMES.get(name, out["type"])
    if "item" in out:
        out["item"] = _write_item(out["item"])
    for field in _SPECS[name].ga_only:
        out.pop(field, None)
    return out


def server_event_to_canonical(event: Event, dialect: Dialect) -> Event:
    """What a server of a dialect sent, in canonical names and shapes.

    Beta's `conversation.item.created` is `conversation.item.added`; no event is made up for what beta does
    not say (`item.done`).

    Args:
        event: one decoded frame.
        dialect: of the connection; see `session_to_canonical` for what it decides.
    """
    return _event_read(event, dialect, _RESPONSE)


def server_event_to_wire(event: Event, dialect: Dialect) -> Event | None:
    """A canonical server event as a server of a dialect sends it; None where it has no such event."""
    name = event.get("type")
    if dialect == BETA and isinstance(name, str) and name in SERVER_EVENTS and name not in _BETA_NAMES:
        return None
    return _event_written(event, dialect, _RESPONSE)


def client_event_to_canonical(event: Event, dialect: Dialect) -> Event:
    """What a client of a dialect sent, in canonical names and shapes.

    Args:
        event: one decoded frame.
        dialect: of the connection; see `session_to_canonical` for what it decides.
    """
    return _event_read(event, dialect, _RESPONSE_REQUEST)


def client_event_to_wire(event: Event, dialect: Dialect) -> Event:
    """A client event as a client of a dialect sends it.

    Flat beta settings in `session` and `response` are understood too, so that code written for one dialect
    works in the other.
    """
    return _event_written(_event_read(event, GA, _RESPONSE_REQUEST), dialect, _RESPONSE_REQUEST)
