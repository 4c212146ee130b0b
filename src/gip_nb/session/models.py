"""Which realtime models a gateway has: its list, read and judged. Pure, but for `realtime_models`.

Gateways differ in how they say what a model can do, and most do not say it at all. A field that says
"realtime" of any model of the list is believed, for the models that have this field; all others are judged by
their names.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from gip_nb.errors import ConnectionRefused, GipError, KeyRefused
from gip_nb.session.trouble import must_be_seconds, read_body

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pandas as pd

    from gip_nb.session.settings import Settings

__all__ = ["MODEL_COLUMNS", "FoundModel", "models_of", "read_models", "realtime_models"]

# Column -> dtype. What the gateway does not say is NA.
MODEL_COLUMNS = {
    "owned_by": "string",
    "created": "datetime64[ns, UTC]",
    "provider": "string",
    "source": "string",
}
REHEARSAL_OWNER = "gip_nb"

# Where gateways say what a model can do: a list of words, an object of them, or one word.
_CAPABILITY_FIELDS = (
    *("capabilities", "endpoints", "features", "mode", "modes", "realtime", "supported_endpoint_types"),
    *("supported_endpoints", "supports_realtime"),
)
_YES = frozenset({"1", "enabled", "on", "supported", "true", "yes"})
_UNAUTHORIZED = frozenset({401, 403})
_OK = 200
# A second count above this is one of milliseconds (the year 5138).
_MOST_SECONDS = 1e11


class FoundModel(NamedTuple):
    """A model with the realtime capability.

    Attributes:
        model: its id, as `talk(model)` takes it.
        owned_by: None where the list does not say.
        created: None where the list does not say.
        source: why it is here: `capability` (the list says so), `name` (its id does), or `rehearsal`.
    """

    model: str
    owned_by: str | None
    created: datetime | None
    source: str

    @property
    def provider(self) -> str | None:
        """What stands before the id's first slash."""
        provider, slash, _ = self.model.partition("/")
        return provider if slash and provider else None


def realtime_models(settings: Settings, timeout_s: float) -> pd.DataFrame:
    """What `gip_nb.models()` gives; its docstring has the columns. Blocks; any thread but the loop's.

    Raises:
        BadSetting: `timeout_s` is no positive number.
        KeyRefused, ConnectionRefused, HostUnreachable, TimedOut: there was no list.
    """
    from gip_nb.session.loop import run_blocking
    from gip_nb.session.transport import fetch_models

    must_be_seconds(timeout_s)
    if settings.rehearsal:
        return _table([FoundModel(settings.model, REHEARSAL_OWNER, None, "rehearsal")])
    answer = run_blocking(fetch_models(settings, timeout_s))
    return _table(models_of(answer.status, answer.body, f"{settings.base_url}/models"))


def models_of(status: int, body: bytes, address: str) -> list[FoundModel]:
    """Read a gateway's answer.

    Args:
        status: HTTP's.
        body: the key scrubbed from it.
        address: that was asked.

    Raises:
        KeyRefused: HTTP 401 or 403.
        ConnectionRefused: no list came, but another status, a web page, or something else.
    """
    if status != _OK:
        raise _refusal(status, body, address)
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    entries = _entries(found)
    if entries is None:
        told = read_body(body)
        said = f": {told.message!r}" if told.message else ""
        raise ConnectionRefused(
            f"{address} answered, but not with a list of models{said}",
            "check base_url: it is the API's root, such as 'https://host/v1'.",
        )
    return read_models(entries)


def _refusal(status: int, body: bytes, address: str) -> GipError:
    told = read_body(body)
    said = f" and said {told.message!r}" if told.message else ""
    if status in _UNAUTHORIZED:
        return KeyRefused(
            f"{address} refused the API key (HTTP {status}){said}",
            "check GIP_API_KEY (or api_key=...): is it for this gateway?",
        )
    next_step = "check base_url: it is the API's root, such as 'https://host/v1'."
    if status in {404, 405, 501}:
        next_step += " If this server lists no models, ask those who run it, and name one: talk('...')."
    elif status == 429 or status >= 500:  # noqa: PLR2004 - too many requests, or the server's own trouble
        next_step = "this is trouble at the server: try again later, or ask those who run it."
    return ConnectionRefused(f"{address} gave no list of models (HTTP {status}){said}", next_step)


def _entries(found: object) -> list[object] | None:
    """The models of an answer: under `data` as OpenAI has them, under `models`, or the answer itself."""
    if isinstance(found, dict):
        found = next((found[n] for n in ("data", "models") if isinstance(found.get(n), list)), None)
    return found if isinstance(found, list) else None


def read_models(entries: Iterable[object]) -> list[FoundModel]:
    """The models with the realtime capability, in the gateway's order; each id once.

    Args:
        entries: of the gateway's list: objects with an `id`, or ids. What is neither is passed over.
    """
    listed: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        fields: Mapping[str, Any] = entry if isinstance(entry, dict) else {"id": entry}
        name = next((v for n in ("id", "model", "name") if isinstance(v := fields.get(n), str)), "").strip()
        if name:
            listed.setdefault(name, fields)
    telling = [n for n in _CAPABILITY_FIELDS if any(_says_realtime(n, f) for f in listed.values())]
    models = []
    for name, fields in listed.items():
        told = [n for n in telling if fields.get(n) is not None]
        by_name = not told and "realtime" in name.lower()
        if by_name or any(_is_realtime(n, fields[n]) for n in told):
            source = "name" if by_name else "capability"
            owner = fields.get("owned_by")
            owned_by = owner if isinstance(owner, str) and owner else None
            models.append(FoundModel(name, owned_by, _moment(fields.get("created")), source))
    return models


def _says_realtime(name: str, fields: Mapping[str, Any]) -> bool:
    """Whether this field knows the word at all, be it to deny it."""
    value = fields.get(name)
    if isinstance(value, dict):
        return any(_is_word(str(key)) for key in value)
    return value is not None and (_is_word(name) or _is_realtime(name, value))


def _is_realtime(name: str, value: object) -> bool:
    if isinstance(value, dict):
        return any(_is_word(str(key)) and _is_yes(inner) for key, inner in value.items())
    if isinstance(value, list):
        return any(
            _is_word(one) if isinstance(one, str) else isinstance(one, dict) and _is_named_realtime(one)
            for one in value
        )
    return _is_yes(value) if _is_word(name) else isinstance(value, str) and _is_word(value)


def _is_named_realtime(one: Mapping[str, Any]) -> bool:
    """Of a list of objects: `{"path": "/v1/realtime"}`, `{"name": "realtime", "enabled": false}`."""
    named = any(isinstance(v, str) and _is_word(v) for v in one.values())
    return named and all(_is_yes(one[n]) for n in ("enabled", "supported") if n in one)


def _is_word(text: str) -> bool:
    """Whether one of its words is realtime: `/v1/realtime`, `supports_realtime`, `Realtime`."""
    return "realtime" in re.split(r"[^a-z0-9]+", text.lower())


def _is_yes(value: object) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in _YES
    if isinstance(value, dict):
        return bool(value) and all(_is_yes(value[n]) for n in ("enabled", "supported") if n in value)
    return bool(value)


def _moment(value: object) -> datetime | None:
    """When, from seconds or milliseconds since 1970, or a text of ISO 8601. Zero is nobody's birthday."""
    try:
        if isinstance(value, str) and not re.fullmatch(r"[\d.]+", value):
            moment = datetime.fromisoformat(value)
            moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        elif isinstance(value, str | int | float) and not isinstance(value, bool) and float(value) > 0:
            seconds = float(value)
            seconds = seconds / 1000 if seconds > _MOST_SECONDS else seconds
            moment = datetime.fromtimestamp(seconds, UTC)
        else:
            return None
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    # What nanoseconds since 1970 in 64 bits can hold.
    return moment if 1678 <= moment.year <= 2261 else None  # noqa: PLR2004 - see above


def _table(found: list[FoundModel]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(
        {
            "owned_by": pd.array([m.owned_by for m in found], dtype="string"),
            "created": pd.to_datetime(pd.Series([m.created for m in found], dtype="object"), utc=True),
            "provider": pd.array([m.provider for m in found], dtype="string"),
            "source": pd.array([m.source for m in found], dtype="string"),
        }
    ).astype(MODEL_COLUMNS)
    frame.index = pd.Index([m.model for m in found], name="model", dtype="object")
    return frame
