"""What a client says in its handshake: where it wants to go, with which key, in which dialect. Pure."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, urlsplit

from gip_nb.protocol.events import BETA, GA

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from gip_nb.protocol.events import Dialect

__all__ = [
    "DEFAULT_MODEL",
    "MODELS",
    "SUBPROTOCOL",
    "Handshake",
    "is_models_path",
    "is_realtime_path",
    "read_handshake",
]

SUBPROTOCOL = "realtime"
"""What a client that offers subprotocols (a browser's, which can set no headers) is answered."""

DEFAULT_MODEL = "rehearsal"

_KEY_SUBPROTOCOL = "openai-insecure-api-key."
_BETA_SUBPROTOCOL = "openai-beta.realtime-v1"
_BETA_HEADER = "realtime=v1"
_QUERY = (("model", DEFAULT_MODEL), ("intent", ""))
_PATHS = ("/v1/realtime", "/realtime")
_MODELS_PATHS = ("/v1/models", "/models")

MODELS: Mapping[str, object] = {
    "object": "list",
    "data": [
        # Made nowhere and never: the API has no way to leave `created` out.
        {
            "id": DEFAULT_MODEL,
            "object": "model",
            "created": 0,
            "owned_by": "gip_nb",
            "capabilities": ["realtime"],
        },
    ],
}
"""What `GET /v1/models` is answered: the one model, which takes every name."""


class Handshake(NamedTuple):
    """What was asked for.

    Attributes:
        dialect: beta where the beta header or subprotocol was there, else GA.
        key: that was shown, None where none was.
        model: that the query named, decoded.
        intent: that the query named: `transcription` wants a session that answers nothing. Empty without one.
    """

    dialect: Dialect
    key: str | None
    model: str
    intent: str = ""

    def shows(self, key: str) -> bool:
        """Whether the right key was shown; takes the same time whatever is wrong with it."""
        return self.key is not None and hmac.compare_digest(self.key.encode(), key.encode())


def is_realtime_path(path: str) -> bool:
    """Whether a request's path, query included, is the Realtime API's."""
    return urlsplit(path).path.rstrip("/") in _PATHS


def is_models_path(path: str) -> bool:
    """Whether a request's path, query included, is that of the list of models."""
    return urlsplit(path).path.rstrip("/") in _MODELS_PATHS


def read_handshake(
    path: str, authorization: str | None, beta_headers: Iterable[str], subprotocols: Iterable[str]
) -> Handshake:
    """Reads the request.

    Args:
        path: with its query.
        authorization: the header's value, None without one.
        beta_headers: the values of all `OpenAI-Beta` headers.
        subprotocols: that were offered.
    """
    offered = [one.strip() for value in subprotocols for one in value.split(",")]
    key = next(
        (one.removeprefix(_KEY_SUBPROTOCOL) for one in offered if one.startswith(_KEY_SUBPROTOCOL)), None
    )
    scheme, _, credentials = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        key = credentials.strip()
    is_beta = _BETA_SUBPROTOCOL in offered or any(_BETA_HEADER in value for value in beta_headers)
    query = parse_qs(urlsplit(path).query)
    model, intent = (query.get(name, [default])[0] for name, default in _QUERY)
    return Handshake(BETA if is_beta else GA, key, model, intent)
