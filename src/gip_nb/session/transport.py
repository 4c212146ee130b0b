"""The wire: a connection that sends and receives frames, and nothing else. The only importer of openai.

Built on the openai package's realtime connection, so that keys, queries and proxies behave as its users know
them. Frames are taken and given as bytes: the package builds models for each event without validating them,
which costs five times what reading costs here.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import re
import ssl
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies

from gip_nb.errors import ConnectionRefused, GipError, HostUnreachable, TimedOut
from gip_nb.protocol.reconnection import clock_ahead_s, read_retry_after
from gip_nb.session.loop import in_thread
from gip_nb.session.trouble import error_of_refusal, tidied

if TYPE_CHECKING:
    from gip_nb.protocol.dialects import Dialect
    from gip_nb.session.settings import Settings

__all__ = ["HttpAnswer", "OpenAITransport", "Transport", "TransportClosed", "fetch_models", "import_openai"]

_OPEN_TIMEOUT_S = 15.0
_CLOSE_TIMEOUT_S = 3.0
_REDIRECTS = range(300, 400)
_API_ROOT = "check base_url: it is the API's root, such as 'https://host/v1'."
# A proxy's address may hold a password.
_USER_AND_PASSWORD = re.compile(r"//[^/@\s]*@")

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
        # How far the server's clock is ahead of the one here, as it dates its answer.
        self.clock_ahead_s = 0.0

    async def open(self) -> None:
        """Connect; see `Transport.open`."""
        from websockets.exceptions import InvalidStatus, WebSocketException

        settings = self._settings
        # Importing the package takes most of a second, and making a client reads certificates: not on the
        # loop, where others are talking.
        self._client = await in_thread(_make_client, settings)
        # For beta too: its own module differs by this header only, and is as slow to import as all the rest.
        dialect_header = {"OpenAI-Beta": "realtime=v1"} if self._dialect == "beta" else {}
        connecting = self._client.realtime.connect(
            model=settings.model,
            extra_query=dict(settings.extra_query),
            # The client's default headers are ignored by some versions of the package: these are not.
            extra_headers={**dialect_header, **settings.extra_headers},
            websocket_connection_options={
                "logger": _quiet,
                "max_size": None,
                "compression": None,
                "create_connection": _faithful_connection(),
                **_proxy_options(settings),
                # Ours, below, is the one that counts.
                "open_timeout": None,
            },
        )
        problem: GipError
        try:
            self._connection = await asyncio.wait_for(connecting.enter(), _OPEN_TIMEOUT_S)
        except InvalidStatus as error:
            body = error.response.body or b""
            if settings.api_key is not None:
                body = settings.api_key.scrub(body)
            wait_s = read_retry_after(error.response.headers.get("Retry-After"), time.time())
            status = error.response.status_code
            problem = error_of_refusal(status, body, settings.base_url, settings.model, wait_s)
        except _Elsewhere as error:
            problem = ConnectionRefused(
                f"{settings.base_url} sends us on to {_scrubbed(settings, error.location)}",
                "the key is not taken there by itself: if that is the right server, give it as base_url.",
            )
        except TimeoutError:
            problem = HostUnreachable(
                f"{settings.base_url} did not answer within {_OPEN_TIMEOUT_S:.0f} s",
                "check the address and the network.",
            )
        except (WebSocketException, EOFError, ValueError) as error:
            # Before version 15, websockets lets out the ValueErrors of its own parser.
            problem = ConnectionRefused(
                f"{settings.base_url} answered, but not as a realtime server: {_scrubbed(settings, error)}",
                _API_ROOT,
            )
        except (OSError, ImportError) as error:
            problem = _unreachable(settings, error)
        except import_openai().OpenAIError as error:
            problem = ConnectionRefused(_scrubbed(settings, error), "check the settings named there.")
        else:
            response = getattr(self._connection._connection, "response", None)  # noqa: SLF001 - see `send`
            if response is not None:
                self.clock_ahead_s = clock_ahead_s(response.headers.get("Date"), time.time())
            return
        await self._client.close()
        # Without its cause: that one's frames hold the headers of the handshake, and a verbose traceback
        # prints a frame's variables.
        raise problem from None

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


class HttpAnswer(NamedTuple):
    """What a server answered to a plain request.

    Attributes:
        status: HTTP's.
        body: whole, as it came, the key scrubbed from it.
    """

    status: int
    body: bytes


async def fetch_models(settings: Settings, timeout_s: float) -> HttpAnswer:
    """Ask `GET {base_url}/models` once; on the loop only.

    Args:
        settings: where, and with which key.
        timeout_s: for all of it.

    Raises:
        HostUnreachable: nobody answers there.
        TimedOut: the answer did not come in time.
    """
    openai = await in_thread(import_openai)
    client = await in_thread(_make_client, settings)
    problem: GipError
    answer: HttpAnswer | None = None
    try:
        async with asyncio.timeout(timeout_s):
            raw = await client.models.with_raw_response.list(
                extra_headers=dict(settings.extra_headers),
                extra_query=dict(settings.extra_query),
                timeout=timeout_s,
            )
        answer = HttpAnswer(int(raw.status_code), bytes(raw.content))
    except openai.APIStatusError as error:
        answer = HttpAnswer(int(error.status_code), bytes(error.response.content))
    except (TimeoutError, openai.APITimeoutError):
        problem = TimedOut(
            f"{settings.base_url}/models did not answer within {timeout_s:g} s",
            "pass a larger timeout_s, or check the address and the network.",
        )
    except openai.APIConnectionError as error:
        # Its own text says only that there was one.
        problem = _unreachable(settings, error.__cause__ or error)
    except (openai.OpenAIError, ValueError) as error:
        problem = ConnectionRefused(
            f"{settings.base_url}/models answered what cannot be read: {_scrubbed(settings, error)}",
            _API_ROOT,
        )
    finally:
        await client.close()
    if answer is None:
        raise problem from None
    scrub = settings.api_key.scrub if settings.api_key is not None else bytes
    return HttpAnswer(answer.status, scrub(answer.body))


def _make_client(settings: Settings) -> Any:  # noqa: ANN401 - the package's AsyncOpenAI, imported late
    """The package's client. Blocks for some 30 ms, a second the first time: call it in a worker thread.

    Raises:
        HostUnreachable: the machine's proxy settings cannot be used.
    """
    openai = import_openai()
    try:
        return openai.AsyncOpenAI(
            api_key=settings.api_key.reveal() if settings.api_key is not None else "",
            base_url=settings.base_url,
            # The package dials an http address as wss; said in so many words it dials what it is told.
            websocket_base_url=settings.websocket_base_url,
            # A cell waits: whoever asked may ask again.
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(trust_env=False) if _is_here(settings) else None,
        )
    except (ImportError, ValueError) as error:
        problem = _unreachable(settings, error)
    raise problem from None


def _is_here(settings: Settings) -> bool:
    """Whether the server is on this machine: no proxy leads there, and few people except it from theirs."""
    host = urlsplit(settings.base_url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _proxy_options(settings: Settings) -> dict[str, None]:
    from websockets.asyncio.client import connect

    knows_proxies = "proxy" in inspect.signature(connect).parameters  # from version 15 on
    return {"proxy": None} if knows_proxies and _is_here(settings) else {}


def _unreachable(settings: Settings, error: BaseException) -> HostUnreachable:
    next_step = "check base_url (or GIP_BASE_URL) and the network, or try talk('rehearsal')."
    told = _scrubbed(settings, error)
    is_by_proxy = not _is_here(settings) and getproxies().keys() & {"all", "http", "https", "socks"}
    if is_by_proxy:
        next_step = f"a proxy is set in the environment: is it the right one? Then {next_step}"
    if "proxy" in told.lower():
        next_step = "check the proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, or name the host in NO_PROXY."
    elif isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY" in told:
        next_step = (
            "the server's certificate is not trusted here: name its authority's file in SSL_CERT_FILE."
        )
    elif isinstance(error, ssl.SSLError) or "SSL" in told:
        next_step = "if this server speaks plain http, write base_url with http:// (or ws://)."
    return HostUnreachable(f"cannot reach {settings.base_url}: {told}", next_step)


def _scrubbed(settings: Settings, what: BaseException | str) -> str:
    text = str(what) or type(what).__name__
    if settings.api_key is not None:
        text = settings.api_key.scrub_text(text)
    return tidied(_USER_AND_PASSWORD.sub("//", text))


class _Elsewhere(Exception):
    """The server redirects to another one.

    Attributes:
        location: where to.
    """

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self.location = location


@functools.cache
def _faithful_connection() -> Any:  # noqa: ANN401 - a class of websockets, imported late
    """A connection that follows no redirect to another server: the key would go along to it.

    Newer versions of the openai package see to that themselves, those before do not.
    """
    from websockets.asyncio.client import ClientConnection
    from websockets.exceptions import InvalidStatus, InvalidURI
    from websockets.uri import parse_uri

    class FaithfulConnection(ClientConnection):
        async def handshake(self, *args: Any, **kwargs: Any) -> None:
            """Open; a redirect to elsewhere is an error of its own."""
            try:
                await super().handshake(*args, **kwargs)
            except InvalidStatus as error:
                location = error.response.headers.get("Location")
                if location is None or error.response.status_code not in _REDIRECTS:
                    raise
                protocol: Any = self.protocol
                here = protocol.uri if hasattr(protocol, "uri") else protocol.wsuri  # before websockets 15
                host = f"[{here.host}]" if ":" in here.host else here.host
                scheme = "wss" if here.secure else "ws"
                target = urljoin(f"{scheme}://{host}:{here.port}{here.resource_name}", location)
                try:
                    there = parse_uri(target)
                except InvalidURI:
                    raise _Elsewhere(target) from None
                if (there.secure, there.host, there.port) == (here.secure, here.host, here.port):
                    raise  # and is followed
                raise _Elsewhere(target) from None

    return FaithfulConnection


def import_openai() -> Any:  # noqa: ANN401 - the module itself
    """Import the openai package and its realtime parts. Any thread; takes most of a second the first time."""
    import openai
    import openai.resources.realtime.realtime

    return openai


def _closed(error: Any) -> TransportClosed:  # noqa: ANN401 - websockets' ConnectionClosed, imported late
    received = error.rcvd
    if received is None:
        return TransportClosed(1006, "no close frame")
    return TransportClosed(int(received.code), str(received.reason))
