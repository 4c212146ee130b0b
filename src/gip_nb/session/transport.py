"""The wire: a connection that sends and receives frames, and nothing else. The only importer of openai.

Built on the openai package's realtime connection, so that keys, queries and proxies behave as its users know
them. Frames are taken and given as bytes: the package builds models for each event without validating them,
which costs five times what reading costs here.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Protocol

from gip_nb.errors import ConnectionRefused, GipError, HostUnreachable, KeyRefused
from gip_nb.session.loop import in_thread

if TYPE_CHECKING:
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.session.settings import Settings

__all__ = ["OpenAITransport", "Transport", "TransportClosed", "import_openai"]

_OPEN_TIMEOUT_S = 15.0
_CLOSE_TIMEOUT_S = 3.0
_UNAUTHORIZED = frozenset({401, 403})

# websockets prints the handshake's headers, the bearer key among them, to its logger at DEBUG. A logger of
# our own with a level of its own keeps that from happening when somebody turns on DEBUG at the root.
_quiet = logging.getLogger("gip_nb.websocket")
_quiet.setLevel(logging.INFO)


class TransportClosed(Exception):
    """The connection ended.

    Attributes:
        code: the WebSocket close code; 1006 where there was no close frame.
        reason: what the other end said.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class Transport(Protocol):
    """One connection. Called on the loop only."""

    async def open(self) -> None:
        """Connect.

        Raises:
            KeyRefused, ConnectionRefused, HostUnreachable: what it could not do.
        """
        ...

    async def recv(self) -> bytes:
        """The next text frame, whole.

        Raises:
            TransportClosed: the connection ended.
        """
        ...

    async def send(self, data: bytes) -> None:
        """Send one text frame.

        Raises:
            TransportClosed: the connection ended.
        """
        ...

    async def close(self) -> None:
        """Close with 1000. What the server had sent before is still received."""
        ...


class OpenAITransport:
    """The openai package's realtime connection, in either dialect."""

    def __init__(self, settings: Settings, dialect: Dialect) -> None:
        self._settings = settings
        self._dialect = dialect
        self._client: Any = None
        self._connection: Any = None

    async def open(self) -> None:
        """Connect; see `Transport.open`."""
        from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI

        # Importing the package takes most of a second: not on the loop, where others are talking.
        openai = await in_thread(import_openai)
        settings = self._settings
        key = settings.api_key.reveal() if settings.api_key is not None else ""
        self._client = openai.AsyncOpenAI(
            api_key=key,
            base_url=settings.base_url,
            # The package dials an http address as wss; said in so many words it dials what it is told.
            websocket_base_url=settings.websocket_base_url,
        )
        realtime = self._client.beta.realtime if self._dialect == "beta" else self._client.realtime
        connecting = realtime.connect(
            model=settings.model,
            extra_query=dict(settings.extra_query),
            # The client's default headers are ignored by some versions of the package: these are not.
            extra_headers=dict(settings.extra_headers),
            websocket_connection_options={
                "logger": _quiet,
                "max_size": None,
                "compression": None,
                # Ours, below, is the one that counts.
                "open_timeout": None,
            },
        )
        problem: GipError
        try:
            self._connection = await asyncio.wait_for(connecting.enter(), _OPEN_TIMEOUT_S)
        except InvalidStatus as error:
            problem = self._refused(error.response.status_code, error.response.body or b"")
        except TimeoutError:
            problem = HostUnreachable(
                f"{settings.base_url} did not answer within {_OPEN_TIMEOUT_S:.0f} s",
                "check the address and the network.",
            )
        except (OSError, InvalidURI) as error:
            problem = HostUnreachable(
                f"cannot reach {settings.base_url}: {self._scrubbed(error)}",
                "check base_url (or GIP_BASE_URL) and the network, or try talk('rehearsal').",
            )
        except (InvalidHandshake, EOFError) as error:
            problem = ConnectionRefused(
                f"{settings.base_url} answered, but not as a realtime server: {self._scrubbed(error)}",
                "check base_url: it is the API's root, such as 'https://host/v1'.",
            )
        except openai.OpenAIError as error:
            problem = ConnectionRefused(self._scrubbed(error), "check the settings named there.")
        else:
            return
        await self._client.close()
        # Without its cause: that one's frames hold the headers of the handshake, and a verbose traceback
        # prints a frame's variables.
        raise problem from None

    def _refused(self, status: int, body: bytes) -> GipError:
        told = self._settings.api_key.scrub(body) if self._settings.api_key is not None else body
        text = told.decode("utf-8", "replace").strip()[:300]
        said = f" and said {text!r}" if text else ""
        address = self._settings.base_url
        if status in _UNAUTHORIZED:
            return KeyRefused(
                f"{address} refused the API key (HTTP {status}){said}",
                "check GIP_API_KEY (or api_key=...): is it for this gateway, and may it use realtime models?",
            )
        return ConnectionRefused(
            f"{address} refused the connection (HTTP {status}){said}",
            f"check base_url and the model's name, {self._settings.model!r}.",
        )

    def _scrubbed(self, error: BaseException) -> str:
        text = str(error) or type(error).__name__
        return self._settings.api_key.scrub_text(text) if self._settings.api_key is not None else text

    async def recv(self) -> bytes:
        """The next frame; see `Transport.recv`."""
        from websockets.exceptions import ConnectionClosed

        try:
            data: bytes = await self._connection.recv_bytes()
        except ConnectionClosed as error:
            raise _closed(error) from None
        return data

    async def send(self, data: bytes) -> None:
        """Send a frame; see `Transport.send`."""
        from websockets.exceptions import ConnectionClosed

        try:
            # The package's own `send` would decode and rewrite what is encoded already; the log promises the
            # bytes that pass.
            await self._connection._connection.send(data, text=True)  # noqa: SLF001 - present in every version from 1.109 to 3.54
        except ConnectionClosed as error:
            raise _closed(error) from None

    async def close(self) -> None:
        """Close; see `Transport.close`."""
        if self._connection is not None:
            try:
                await asyncio.wait_for(self._connection.close(), _CLOSE_TIMEOUT_S)
            except TimeoutError:
                _quiet.info("the server did not answer the close")
        if self._client is not None:
            await self._client.close()


def import_openai() -> Any:  # noqa: ANN401 - the module itself
    """Import the openai package and its realtime parts. Any thread; takes most of a second the first time."""
    import openai
    import openai.resources.beta.realtime.realtime
    import openai.resources.realtime.realtime

    return openai


def _closed(error: Any) -> TransportClosed:  # noqa: ANN401 - websockets' ConnectionClosed, imported late
    received = error.rcvd
    if received is None:
        return TransportClosed(1006, "no close frame")
    return TransportClosed(int(received.code), str(received.reason))
