"""Gathers the facts: asks the page, the server and Python itself, all at once, none of them for long."""

from __future__ import annotations

import asyncio
import platform
import sys
import time
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar

from gip_nb.diagnosis.facts import Facts, Gateway, Package, Spoken, Subshells, Trouble, kernel_host
from gip_nb.errors import GipError, KeyRefused
from gip_nb.session.loop import in_thread, run_blocking

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gip_nb.notebook.probe import Examination
    from gip_nb.notebook.widget import Talk
    from gip_nb.session.settings import Settings

__all__ = ["gather"]

T = TypeVar("T")
_PAGE_S, _SERVER_S, _SESSION_S = 4.0, 6.0, 7.0
# Named even where nothing is wrong with them. The first two are the page's programs: here only by chance.
_NAMED = ("jupyterlab", "notebook", "ipykernel", "ipywidgets", "anywidget", "openai", "websockets", "numpy")
_OPTIONAL = frozenset({"jupyterlab", "notebook"})
_EXTRAS = {"a recogniser": "pocketsphinx", "a synthesiser": "espeakng_loader"}


def gather(resolve: Callable[[], Settings], talk: Talk | None, *, connect: bool) -> Facts:
    """All facts that are to be had. Blocks for eight seconds at the most; raises nothing.

    Args:
        resolve: finds out what a talk would connect with, or raises why there is no such thing.
        talk: whose page is asked, None where there is none.
        connect: open a session and close it again.
    """
    settings, trouble = None, None
    try:
        settings = resolve()
    except Exception as error:  # noqa: BLE001 - a doctor that falls ill helps nobody
        trouble = _trouble(error)
    page, gateway, spoken = None, None, Spoken(None, now=False)
    try:
        page, gateway, spoken = run_blocking(_asked(settings, talk, connect=connect))
    except Exception as error:  # noqa: BLE001 - as above: called on the loop's own thread, for example
        trouble = trouble or _trouble(error)
    return Facts(
        host=_found(_host, "python"),
        python=f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        packages=_found(_packages, ()),
        subshells=_found(_subshells, None),
        page=page,
        gateway=gateway,
        spoken=spoken,
        extras={gives: find_spec(module) is not None for gives, module in _EXTRAS.items()},
        trouble=trouble,
    )


def _found(look: Callable[[], T], otherwise: T) -> T:
    try:
        return look()
    except Exception:  # noqa: BLE001 - what cannot be seen is unknown, and the rest is told all the same
        return otherwise


def _trouble(error: Exception) -> Trouble:
    if isinstance(error, GipError):
        return Trouble(error.message, error.next_step)
    if isinstance(error, TimeoutError):
        return Trouble("no answer in time", "look at the network, then run doctor() again.")
    # Not its text: whose it is, and what stands in it, nobody knows.
    return Trouble(f"this check failed itself ({type(error).__name__})", "")


# ---- asked on the loop -----------------------------------------------------------------------------------


async def _asked(
    settings: Settings | None, talk: Talk | None, *, connect: bool
) -> tuple[Examination | None, Gateway | None, Spoken]:
    page, gateway, spoken = await asyncio.gather(
        _asked_page(talk), _asked_gateway(settings), _asked_session(settings, talk, connect=connect)
    )
    return page, gateway, spoken


async def _within(seconds: float, asked: Awaitable[T]) -> T | Trouble:
    try:
        async with asyncio.timeout(seconds):
            return await asked
    except Exception as error:  # noqa: BLE001 - it becomes a line of the report
        return _trouble(error)


async def _asked_page(talk: Talk | None) -> Examination | None:
    if talk is None:
        return None
    found = await _within(_PAGE_S, talk.examine())
    return None if isinstance(found, Trouble) else found


async def _asked_gateway(settings: Settings | None) -> Gateway | None:
    if settings is None:
        return None
    asked = _asked_rehearsal(settings) if settings.rehearsal else _asked_models(settings)
    found = await _within(_SERVER_S, asked)
    if isinstance(found, Trouble):
        return Gateway(settings.base_url, settings.rehearsal, settings.model, trouble=found)
    return found


async def _asked_rehearsal(settings: Settings) -> Gateway:
    from gip_nb.session import embedded

    began_s = time.monotonic()
    where = await in_thread(embedded.address)
    return Gateway(
        where.url, rehearsal=True, model=settings.model, answered_ms=(time.monotonic() - began_s) * 1000
    )


async def _asked_models(settings: Settings) -> Gateway:
    from gip_nb.session import transport
    from gip_nb.session.models import models_of

    await in_thread(transport.import_openai)
    began_s = time.monotonic()
    answer = await transport.fetch_models(settings, _SERVER_S - 1)
    seen: dict[str, Any] = {
        "address": settings.base_url,
        "rehearsal": False,
        "model": settings.model,
        "answered_ms": (time.monotonic() - began_s) * 1000,
    }
    try:
        found = models_of(answer.status, answer.body, f"{settings.base_url}/models")
    except KeyRefused as error:
        return Gateway(**seen, key_refused=_trouble(error))
    except GipError as error:
        return Gateway(**seen, trouble=_trouble(error))
    return Gateway(**seen, models=tuple(one.model for one in found))


async def _asked_session(settings: Settings | None, talk: Talk | None, *, connect: bool) -> Spoken:
    if settings is not None and connect:
        opened = await _within(_SESSION_S, _opened(settings))
        return (
            Spoken(None, now=True, trouble=opened)
            if isinstance(opened, Trouble)
            else Spoken(opened, now=True)
        )
    session = talk.session._session if talk is not None else None  # noqa: SLF001 - a wrapper of our own
    # Another address than the talk's: what is spoken there says nothing of it.
    known = session is not None and session.log.connection and session.settings == settings
    return Spoken(session.dialect if session is not None and known else None, now=False)


async def _opened(settings: Settings) -> str:
    from gip_nb.session.session import AsyncRealtimeSession

    session = AsyncRealtimeSession(settings)
    try:
        await session.connect()
        return session.dialect
    finally:
        await session.close()


# ---- seen from here --------------------------------------------------------------------------------------


def _shell() -> Any:  # noqa: ANN401 - IPython's, of whichever class
    ipython = sys.modules.get("IPython.core.getipython")
    return ipython.get_ipython() if ipython is not None else None


def _host() -> Any:  # noqa: ANN401 - `KernelHost`, or what stands in for it
    shell = _shell()
    parent: object = getattr(shell, "get_parent", dict)()
    cell = (parent.get("metadata") or {}).get("cellId") if isinstance(parent, dict) else None
    return kernel_host(
        shell=type(shell).__name__ if shell is not None else "",
        cell_id=cell if isinstance(cell, str) else "",
        names=frozenset(getattr(shell, "user_ns", ())),
        modules=frozenset(sys.modules),
    )


def _subshells() -> Subshells | None:
    kernel = getattr(_shell(), "kernel", None)
    if kernel is None:
        return None
    from gip_nb.notebook.routing import advice

    thread = getattr(kernel, "shell_channel_thread", None)
    count = len(thread.manager.list_subshell()) if thread is not None else 0
    return Subshells(supported=thread is not None, open=count, advice=advice()["next_step"])


def _packages() -> tuple[Package, ...]:
    from packaging.requirements import Requirement  # which ipykernel needs, so that it is here

    wanted: dict[str, Requirement] = {}
    for line in metadata.requires("gip_nb") or ():
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            wanted[requirement.name] = requirement
    found = [_package(name, wanted.get(name)) for name in dict.fromkeys((*_NAMED, *wanted))]
    # The others are told of only where something is wrong with them.
    return tuple(
        one
        for one in found
        if not one.fits or (one.name in _NAMED and (one.version or one.name not in _OPTIONAL))
    )


def _package(name: str, wanted: Any) -> Package:  # noqa: ANN401 - a Requirement, or None
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Package(name, None, str(wanted or name), fits=wanted is None)
    fits = wanted is None or wanted.specifier.contains(version, prereleases=True)
    return Package(name, version, str(wanted or ""), fits=fits)
