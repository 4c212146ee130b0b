"""Talk to a realtime speech model from a notebook cell; your functions are its tools, every event is a row.

`%load_ext gip_nb`, then `talk()`. Without a page: `with gip_nb.connect("rehearsal") as s:
print(s.ask("hello").text)`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Literal

    import pandas as pd
    from IPython.core.interactiveshell import InteractiveShell

    from gip_nb.diagnosis.report import Report
    from gip_nb.journal import plots
    from gip_nb.journal.comparison import compare
    from gip_nb.notebook.widget import Talk
    from gip_nb.protocol.reconnection import Reconnect
    from gip_nb.protocol.retries import Retry
    from gip_nb.recording import load
    from gip_nb.session.blocking import RealtimeSession
    from gip_nb.session.session import AsyncRealtimeSession
    from gip_nb.tools import tool, tool_cancelled
    from gip_nb.tools.notebook_tools import notebook_tools

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "compare",
    "connect",
    "connect_async",
    "current",
    "doctor",
    "load",
    "load_ipython_extension",
    "models",
    "notebook_tools",
    "plots",
    "prices",
    "talk",
    "tool",
    "tool_cancelled",
    "unload_ipython_extension",
]

# Public names that live elsewhere, fetched on first use: importing this package and loading the extension
# must cost nothing.
_ELSEWHERE = {
    "AsyncRealtimeSession": "gip_nb.session.session",
    "GipError": "gip_nb.errors",
    "RealtimeSession": "gip_nb.session.blocking",
    "Reconnect": "gip_nb.protocol.reconnection",
    "Recording": "gip_nb.recording",
    "Reply": "gip_nb.session.reply",
    "Retry": "gip_nb.protocol.retries",
    "Talk": "gip_nb.notebook.widget",
    "compare": "gip_nb.journal.comparison",
    "load": "gip_nb.recording",
    "notebook_tools": "gip_nb.tools.notebook_tools",
    "tool": "gip_nb.tools",
    "tool_cancelled": "gip_nb.tools",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    if name in {"errors", "testing"}:
        return import_module(f"{__name__}.{name}")
    if name == "plots":
        return import_module(f"{__name__}.journal.plots")
    if name in _ELSEWHERE:
        return getattr(import_module(_ELSEWHERE[name]), name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted({*__all__, *_ELSEWHERE})


def talk(
    model: str | None = None,
    *,
    base_url: str | None = None,
    api_key: str | None = None,
    instructions: str | None = None,
    voice: str | None = None,
    tools: Iterable[Callable[..., Any]] = (),
    approve: bool | Iterable[str] | Callable[[str, dict[str, Any]], Any] | None = None,
    approve_timeout_s: float = 60.0,
    tool_timeout_s: float | None = None,
    tool_slow: bool | float | str | Callable[[str, float], Any] = False,
    turn_detection: str | Mapping[str, Any] | None = "server_vad",
    transcription: bool | str | Mapping[str, Any] = True,
    dialect: str = "auto",
    prices: Mapping[str, Any] | str | Path | None = None,
    budget_usd: float | None = None,
    history: Sequence[Mapping[str, Any]] = (),
    log: str | os.PathLike[str] | Literal[False] | None = None,
    retry: bool | Retry | Mapping[str, Any] = True,
    response_timeout_s: float | None = 30.0,
    reconnect: bool | Mapping[str, Any] | Reconnect = True,
    record: bool = True,
    greet: bool | str = False,
    **session: Any,
) -> Talk:
    """A widget to talk to a realtime model: *Start* (or the first verb on `.session`) connects.

    Without a key and without a model's name it talks to the embedded rehearsal server and says so on its
    face.

    Args:
        model: id with its provider prefix; `rehearsal` is the embedded server. Default: `GIP_MODEL`, then a
            preview model.
        base_url: http, https, ws or wss, with or without `/realtime`. Default: `GIP_BASE_URL`, then the
            gateway's.
        api_key: default: `GIP_API_KEY`, also from a `.env` beside the notebook. It stays in the kernel.
        instructions: the system prompt.
        voice: the model's voice.
        tools: functions that the model may call; type hints and docstring are what it sees.
        approve: who is asked before one of them runs. None: you, in the widget, about those that say
            `@tool(approve=True)`; True: about each; names: about these too; False: nobody. A function
            `(name, arguments) -> bool`, plain or async, decides instead, of every call: only True is a yes.
        approve_timeout_s: how long your answer is waited for. No answer is a no.
        tool_timeout_s: after which the model is told that a function takes too long, where its own
            `@tool(timeout_s=...)` says nothing else. Default: no limit.
        tool_slow: let the model say in a few words that it works when a function takes longer than five
            seconds: True, a number of seconds, what it is to say, or a function `(name, seconds)` whose text
            it is. Once a call, never while somebody speaks; it is billed as any response.
        turn_detection: `server_vad`, `semantic_vad`, None (push to talk) or the API's object.
        transcription: of your words: on, off, a model's name or the API's object.
        dialect: `auto`, `beta` or `ga`.
        prices: your own, over those that come with this package: `{"my/model": {"text": {"input": 4,
            "cached": 0.4, "output": 16}, "audio": {...}}}` in USD per million tokens, or a JSON file of that.
            Default: the file that `GIP_PRICES` names.
        budget_usd: the most that a session of this talk may cost. At 80 % you are warned, at 100 % no more
            answers are asked for; `session.budget_usd = ...` sets another limit meanwhile. What an answer
            costs is known when it is done: the last one may go over. Default: `GIP_BUDGET_USD`.
        history: a list of items of an earlier talk, as the API writes them, in either dialect: what the model
            remembers when the talk begins. They belong to no turn. Each session of this talk begins with
            them.
        log: a folder. Each session writes itself as it goes, its sound too, into a folder of its own there;
            `gip_nb.load` reads that, after a crash too. Default: `GIP_LOG`, and without it nothing is
            written; False: nothing is, whatever that says. `log_limit_bytes` (2 GiB) bounds each.
        retry: ask again for a response that failed or was refused because of a rate limit or of trouble at
            the server: twice at most, after the wait that the server names. False: never;
            `gip_nb.Retry(attempts=3, longest_wait_s=20)` or a dict of its fields: so. Not where sound of it
            came, nor where you speak, type or interrupt meanwhile. Each one is billed.
        response_timeout_s: a response of which nothing comes for so long while it is generated is cancelled
            and told; None: it is waited for without end.
        reconnect: come back when the connection is lost, with settings, history and what was being said;
            False: that is the session's end. A `gip_nb.Reconnect`, or a dict of its fields, says how often
            and how long is tried, and how long a session may last.
        record: keep the conversation in the notebook, as static HTML beside the widget: it is what the saved
            notebook shows where no kernel runs. Written when turns finish.
        greet: let the model say the first words when the talk is started; a text tells it how. Once in each
            session, and not where you begin it yourself, by typing or by a verb.
        **session: further session fields of the API, in either dialect's name; `extra_headers`,
            `extra_query`.

    Raises:
        UnknownOption: a keyword that is none; the nearest is named.
        BadSetting: a value that cannot be; a budget for a model whose price is not known.
        MissingKey: a model was named and there is no key.
    """
    from gip_nb.notebook.cells import open_talk
    from gip_nb.session.settings import conceal

    session = conceal({**session, "api_key": api_key})
    del api_key
    return open_talk(
        model=model,
        base_url=base_url,
        instructions=instructions,
        voice=voice,
        tools=tools,
        approve=approve,
        approve_timeout_s=approve_timeout_s,
        tool_timeout_s=tool_timeout_s,
        tool_slow=tool_slow,
        turn_detection=turn_detection,
        transcription=transcription,
        dialect=dialect,
        prices=prices,
        budget_usd=budget_usd,
        history=history,
        log=log,
        retry=retry,
        response_timeout_s=response_timeout_s,
        reconnect=reconnect,
        record=record,
        greet=greet,
        **session,
    )


def connect(
    model: str | None = None,
    *,
    tools: Iterable[Callable[..., Any]] = (),
    **options: Any,
) -> RealtimeSession:
    """A session without a widget, connected. Takes what `talk()` takes; also a context manager.

    Raises:
        UnknownOption, BadSetting, MissingKey: as `talk()`.
        KeyRefused, UnknownModel, ConnectionRefused, HostUnreachable, RehearsalFailed, TimedOut, ServerError:
            it could not connect; the error's `session` has the tables of the attempt.
    """
    from gip_nb.errors import GipError
    from gip_nb.session.blocking import RealtimeSession
    from gip_nb.session.settings import conceal

    options = conceal(options)
    session = RealtimeSession(connect_async(model, tools=tools, **options))
    try:
        session.connect()
    except GipError as error:
        # Whoever has no session has no tables: what was logged until then is reached through the error.
        error.session = session
        raise
    return session


def connect_async(
    model: str | None = None,
    *,
    tools: Iterable[Callable[..., Any]] = (),
    **options: Any,
) -> AsyncRealtimeSession:
    """A session without a widget whose verbs are awaited; `async with` or the first verb connects.

    Takes what `talk()` takes.

    Raises:
        UnknownOption, BadSetting, MissingKey: as `talk()`.
    """
    from gip_nb.session.session import AsyncRealtimeSession
    from gip_nb.session.settings import conceal, resolve
    from gip_nb.tools import toolbox_of

    options = conceal(options)
    toolbox, options = toolbox_of(tools, options)
    return AsyncRealtimeSession(resolve(model, **options), tools=toolbox)


def models(
    *,
    base_url: str | None = None,
    api_key: str | None = None,
    timeout_s: float = 20.0,
    extra_headers: Mapping[str, str] | None = None,
    extra_query: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """The gateway's models with the realtime capability, one row each, in the gateway's order.

    Without any key it is the embedded rehearsal server's one model, and nobody is asked.

    Args:
        base_url: as in `talk()`.
        api_key: as in `talk()`.
        timeout_s: for all of it.
        extra_headers: go along with the request.
        extra_query: goes along with the request.

    Returns:
        `model` (index: the id that `talk()` takes) · `owned_by` string · `created` datetime64[ns, UTC] ·
        `provider` string (what stands before the id's first slash) · `source` string: `capability` (the
        gateway says so), `name` (the id holds "realtime"; for gateways that do not say), or `rehearsal`. What
        the gateway does not tell is NA.

    Raises:
        BadSetting: a value that cannot be.
        MissingKey: an address was named and there is no key.
        KeyRefused, HostUnreachable, TimedOut: as said by `connect()`.
        ConnectionRefused: something else came than a list of models.
    """
    from gip_nb.session.models import realtime_models
    from gip_nb.session.settings import conceal, resolve_gateway

    options = conceal({"base_url": base_url, "api_key": api_key})
    del api_key
    settings = resolve_gateway(**options, extra_headers=extra_headers, extra_query=extra_query)
    return realtime_models(settings, timeout_s)


def prices(source: Mapping[str, Any] | str | Path | None = None) -> pd.DataFrame:
    """What tokens and minutes cost, as far as it is known; costs in the tables are counted at these.

    Args:
        source: your own prices, as `talk(prices=...)` takes them. Default: the file that `GIP_PRICES` names.

    Returns:
        A row a model and kind, yours first: `model` string · `kind` category (`text`, `audio`, `image`: USD
        per million tokens; `minute`: USD per minute of audio) · `input_usd` `cached_usd` `output_usd` float ·
        `source` string · `date` string (when it was read).

    Raises:
        BadSetting: they are no prices.
    """
    from gip_nb.journal.usage_table import price_table
    from gip_nb.session.settings import resolve_prices

    return price_table(resolve_prices(source))


def current() -> Talk | None:
    """The newest `Talk` of this kernel, None before the first."""
    from gip_nb.notebook.cells import newest

    return newest()


def doctor(
    model: str | None = None,
    *,
    base_url: str | None = None,
    api_key: str | None = None,
    connect: bool = False,
) -> Report:
    """What works here, what does not, and what to do: host, packages, page, microphone, gateway and key.

    What only the page knows comes from the newest talk's page, so show one first. Takes eight seconds at the
    most, and raises nothing.

    Args:
        model: as in `talk()`; where none of these three is given, all are those of the newest talk.
        base_url: as in `talk()`.
        api_key: as in `talk()`.
        connect: also open a session and close it again, to see which dialect is spoken. Some gateways charge
            for that.

    Returns:
        The report; shows itself as a table. `.ok` is whether nothing failed, `.checks` has each line's
        `what`, `state` (`ok`, `warn`, `fail` or `unknown`), `found` and `next_step`.
    """
    from gip_nb.diagnosis.examine import examine
    from gip_nb.session.settings import conceal

    options = conceal({"model": model, "base_url": base_url, "api_key": api_key})
    del api_key
    return examine(connect=connect, **options)


def load_ipython_extension(shell: InteractiveShell) -> None:
    """`%load_ext gip_nb`: puts `talk` into the notebook's namespace, and `%talk` beside it."""
    from gip_nb.notebook import magics

    shell.push({"talk": talk}, interactive=False)  # type: ignore[no-untyped-call]  # IPython has no types
    magics.register(shell)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """`%unload_ext gip_nb`: takes both out again, if they are still ours."""
    from gip_nb.notebook import magics

    if shell.user_ns.get("talk") is talk:
        shell.drop_by_id({"talk": talk})  # type: ignore[no-untyped-call]  # IPython has no types
    magics.unregister(shell)
