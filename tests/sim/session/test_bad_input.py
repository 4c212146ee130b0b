"""Everything that a user can get wrong, or a server can refuse: which error, in which words, what next.

Each table has one row for each way to fail. What was logged until then stays readable in all of them.
"""

from __future__ import annotations

import base64
import contextlib
import json
import math
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest

import gip_nb
from gip_nb.audio import wav_bytes
from gip_nb.errors import (
    AudioFileNotFound,
    BadAudio,
    BadSetting,
    ConnectionDropped,
    ConnectionRefused,
    DialectRefused,
    GipError,
    KeyRefused,
    MissingKey,
    NothingToDo,
    ServerError,
    UnknownModel,
    UnknownOption,
)
from gip_nb.session.blocking import RealtimeSession
from gip_nb.session.session import AsyncRealtimeSession
from gip_nb.session.settings import resolve
from gip_nb.testing import ScriptedTransport
from tests.sim.session.servers import GREETING, GREETING_GA, Event, Model, Said, realtime_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

KEY = "sk-secret-0123456789"
PREVIEW = "openai/gpt-4o-realtime-preview-2024-12-17"
GA = "openai/gpt-realtime"
CHECK_KEY = "GIP_API_KEY"
LISTS = "gip_nb.models() lists"


class Told(NamedTuple):
    """What a failure has to say.

    Attributes:
        error: of which class, exactly.
        title: its title.
        message: texts that its message holds: the value, the limit.
        next_step: a text that its next step holds.
    """

    error: type[GipError]
    title: str
    message: tuple[str, ...]
    next_step: str


def check(caught: GipError, told: Told) -> None:
    assert type(caught) is told.error, repr(caught)
    assert caught.title == told.title
    assert [text for text in told.message if text not in caught.message] == [], caught.message
    assert told.next_step in caught.next_step, caught.next_step
    assert str(caught) == f"{caught.message}\n→ {caught.next_step}"
    assert KEY not in f"{caught!s} {caught!r} {caught.args}"
    assert len(caught.message) < 1000


def check_log(session: RealtimeSession, wanted: Iterable[str] = ()) -> None:
    """Every row can be read, and these are among them, in this order."""
    events = session.events
    assert len(events) == len(session.log)
    assert [session.payload(n)["type"] for n in range(len(events))] == events.type.tolist()
    assert len(session.turns) >= 0
    assert len(session.items) >= 0
    assert KEY not in events.to_csv()
    types = iter(events.type)
    assert [kind for kind in wanted if kind not in types] == []


# ------------------------------------------------------------------------------------- what a server refuses


def error(code: str | None, message: str, **more: Any) -> Event:
    return {
        "type": "error",
        "error": {"type": "invalid_request_error", "code": code, "message": message, **more},
    }


def body(code: str | None, message: str) -> str:
    return json.dumps({"error": {"message": message, "code": code, "param": None}})


PAGE = "<!doctype html><html><head><title>Sign in</title></head><body>" + "<p>please</p>" * 900
NO_MODEL = "The model `x` does not exist or you do not have access to it."
NO_BETA = "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API."

HANDSHAKES = {
    "no key at all": (
        (401, ""),
        Told(KeyRefused, "Key refused", ("HTTP 401", "http://127.0.0.1"), CHECK_KEY),
    ),
    "a wrong key, which the server says back": (
        (401, body("invalid_api_key", f"Incorrect API key provided: {KEY}.")),
        Told(KeyRefused, "Key refused", ("HTTP 401", "Incorrect API key provided: [key]."), CHECK_KEY),
    ),
    "a key without this right": (
        (403, '{"detail": "Forbidden"}'),
        Told(KeyRefused, "Key refused", ("HTTP 403", "'Forbidden'"), CHECK_KEY),
    ),
    "an unknown model": (
        (404, body("model_not_found", NO_MODEL)),
        Told(UnknownModel, "Unknown model", ("HTTP 404", PREVIEW, NO_MODEL), LISTS),
    ),
    "a model's name without its prefix": (
        (400, body("400", "Invalid model name passed in model=x. Call `/v1/models` to view them.")),
        Told(UnknownModel, "Unknown model", ("HTTP 400", PREVIEW, "Invalid model name"), LISTS),
    ),
    "a model that is not for this key": (
        (403, body("model_not_found", "Project `p` does not have access to model `x`")),
        Told(UnknownModel, "Unknown model", ("HTTP 403", "does not have access"), LISTS),
    ),
    "a path without an API": (
        (404, '{"detail": "Not Found"}'),
        Told(ConnectionRefused, "Connection refused", ("HTTP 404", "'Not Found'"), "the API's root"),
    ),
    "a web page": (
        (200, PAGE),
        Told(
            ConnectionRefused, "Connection refused", ("HTTP 200", "a web page, 'Sign in'"), "the API's root"
        ),
    ),
    "too many requests": (
        (429, body("rate_limit_exceeded", "Rate limit reached")),
        Told(ConnectionRefused, "Connection refused", ("HTTP 429", "Rate limit reached"), "wait a little"),
    ),
    "no quota left": (
        (429, body("insufficient_quota", "You exceeded your current quota")),
        Told(ConnectionRefused, "Connection refused", ("HTTP 429", "exceeded your current quota"), "billing"),
    ),
    "a server in trouble": (
        (500, PAGE),
        Told(ConnectionRefused, "Connection refused", ("HTTP 500",), "trouble at the server"),
    ),
    "a proxy in trouble": (
        (502, "<html><head><title>502 Bad Gateway</title></head></html>"),
        Told(ConnectionRefused, "Connection refused", ("HTTP 502", "502 Bad Gateway"), "try again later"),
    ),
    "a text that would colour a terminal, and no end of it": (
        (400, "\x1b[31mred\x1b[0m\a\r\n" + "x" * 100_000),
        Told(ConnectionRefused, "Connection refused", ("HTTP 400", "red", "[...]"), "the API's root"),
    ),
}


@pytest.mark.parametrize(("refusal", "told"), HANDSHAKES.values(), ids=HANDSHAKES)
def test_at_the_handshake(refusal: tuple[int, str], told: Told) -> None:
    with realtime_server(refuse=refusal) as (url, seen):
        with pytest.raises(GipError) as caught:
            gip_nb.connect(PREVIEW, base_url=url, api_key=KEY)
    check(caught.value, told)
    assert "\x1b" not in caught.value.message
    assert len(seen.requests) == 1
    session = caught.value.session
    assert session is not None
    assert session.state == "error"
    assert session.error is caught.value
    check_log(session, ["local.connection.refused"])
    (row,) = session.events.payload
    assert row["message"] == caught.value.message


FIRST_WORDS: dict[str, tuple[list[Said], Told]] = {
    "a wrong key": (
        [error("invalid_api_key", f"Incorrect API key provided: {KEY}."), 3000],
        Told(KeyRefused, "Key refused", ("Incorrect API key provided: [key].",), CHECK_KEY),
    ),
    "a wrong key, by the kind of error alone": (
        [error(None, "who are you", type="authentication_error"), (1008, "")],
        Told(KeyRefused, "Key refused", ("who are you", "authentication_error"), CHECK_KEY),
    ),
    "a wrong key, by a number": (
        [{"type": "error", "error": {"code": 401, "message": "nope"}}, 1011],
        Told(KeyRefused, "Key refused", ("nope", "401"), CHECK_KEY),
    ),
    "a wrong key, in the reason of a close": (
        [(1008, "Invalid API key")],
        Told(KeyRefused, "Key refused", ("code 1008", "Invalid API key"), CHECK_KEY),
    ),
    "a wrong key, by type and code as the reason": (
        [(4001, "invalid_request_error.invalid_api_key")],
        Told(KeyRefused, "Key refused", ("code 4001", "invalid_api_key"), CHECK_KEY),
    ),
    "a wrong key, by the close code alone": (
        [(3000, "")],
        Told(KeyRefused, "Key refused", ("code 3000",), CHECK_KEY),
    ),
    "an unknown model": (
        [error("model_not_found", NO_MODEL), (1011, "")],
        Told(UnknownModel, "Unknown model", (NO_MODEL, "model_not_found"), LISTS),
    ),
    "an unknown model, in words alone": (
        [error(None, "litellm.BadRequestError: Invalid model name passed in model=x."), (1011, "")],
        Told(UnknownModel, "Unknown model", ("Invalid model name passed in model=x.",), LISTS),
    ),
    "an unknown model, as a bare text": (
        [{"type": "error", "error": "model 'x' not found"}, (1011, "")],
        Told(UnknownModel, "Unknown model", ("model 'x' not found",), LISTS),
    ),
    "an unknown model, in the reason of a close": (
        [(4001, "model gpt-x does not exist")],
        Told(UnknownModel, "Unknown model", ("code 4001", "gpt-x does not exist"), LISTS),
    ),
    "an error without a shape": (
        [{"type": "error", "message": "we are closed", "code": "lunch"}],
        Told(ServerError, "The server reports an error", ("we are closed (lunch)",), "session.events"),
    ),
    "an error without a word": (
        [{"type": "error", "error": None}],
        Told(ServerError, "The server reports an error", ("gave no reason",), "session.events"),
    ),
    "an error of no end": (
        [error("server_error", "\x1b[31m" + "x" * 2_000_000)],
        Told(
            ServerError, "The server reports an error", ("xxx", "[...]", "(server_error)"), "session.events"
        ),
    ),
    "a close for no reason that is known here": (
        [(1008, "policy")],
        Told(ConnectionDropped, "Connection lost", ("code 1008", "policy"), "new session"),
    ),
}


@pytest.mark.parametrize(("said", "told"), FIRST_WORDS.values(), ids=FIRST_WORDS)
def test_instead_of_a_session(said: list[Said], told: Told) -> None:
    with realtime_server(greeting=lambda _headers: said) as (url, _):
        with pytest.raises(GipError) as caught:
            gip_nb.connect(GA, base_url=url, api_key=KEY)
    check(caught.value, told)
    assert "\x1b" not in caught.value.message
    session = caught.value.session
    assert session is not None
    assert session.state == "error"
    events = [one["type"] for one in said if isinstance(one, dict)]
    check_log(session, ["local.connection.opened", *events, "local.connection.closed"])
    with pytest.raises(told.error):
        session.ask("is anybody there?")


LATER_WORDS: dict[str, tuple[list[Said], Told]] = {
    "a key that ran out": (
        [error("token_expired", "Your key has expired."), (1008, "")],
        Told(KeyRefused, "Key refused", ("Your key has expired.",), CHECK_KEY),
    ),
    "a model that the gateway cannot reach": (
        [error("model_not_found", NO_MODEL), (1011, "")],
        Told(UnknownModel, "Unknown model", (NO_MODEL,), LISTS),
    ),
    "a key that is not taken any more, by the kind of error alone": (
        [error(None, "who are you", type="authentication_error"), (1008, "")],
        Told(KeyRefused, "Key refused", ("who are you",), CHECK_KEY),
    ),
    "an unknown model, as a bare text": (
        [{"type": "error", "error": "model 'x' not found"}, (1011, "")],
        Told(UnknownModel, "Unknown model", ("model 'x' not found",), LISTS),
    ),
    "an error without a shape": (
        [{"type": "error", "event_id": "event_9", "message": "we are closed", "code": "lunch"}],
        Told(ServerError, "The server reports an error", ("we are closed (lunch)",), "session.events"),
    ),
    "the end of the session": (
        [error("session_expired", "Your session hit the maximum duration of 60 minutes.")],
        Told(
            ServerError,
            "The server reports an error",
            ("60 minutes", "session_expired"),
            "start a new session",
        ),
    ),
    "a commit that came too early": (
        [error("input_audio_buffer_commit_empty", "buffer too small. Expected at least 100ms of audio")],
        Told(
            ServerError,
            "The server reports an error",
            ("at least 100ms", "input_audio_buffer_commit_empty"),
            "at least 100 ms of audio before commit()",
        ),
    ),
    "a field of the other dialect": (
        [
            error(
                "unknown_parameter", "Unknown parameter: 'response.modalities'.", param="response.modalities"
            )
        ],
        Told(ServerError, "The server reports an error", ("response.modalities",), "leave that field out"),
    ),
    "no reason at all": (
        [{"type": "error"}],
        Told(ServerError, "The server reports an error", ("gave no reason",), "session.events"),
    ),
}


@pytest.mark.parametrize(("said", "told"), LATER_WORDS.values(), ids=LATER_WORDS)
def test_instead_of_an_answer(said: list[Said], told: Told) -> None:
    def answers(event: Event) -> Iterable[Said]:
        return said if event["type"] == "response.create" else ()

    with realtime_server(answers) as (url, _):
        with gip_nb.connect(PREVIEW, base_url=url, api_key=KEY, reconnect=False) as session:
            with pytest.raises(GipError) as caught:
                session.ask("hello")
    check(caught.value, told)
    wanted = ["session.created", "session.update", "conversation.item.create", "response.create", "error"]
    check_log(session, wanted)
    assert session.turns.user_text.tolist() == ["hello"]


@pytest.mark.parametrize(
    ("code", "kind"),
    [("session_expired", ServerError), ("token_expired", KeyRefused), ("lunch", ConnectionDropped)],
)
def test_an_end_that_was_announced_is_told_by_its_reason(code: str, kind: type[GipError]) -> None:
    goodbye: list[Said] = [GREETING_GA, error(code, "That is all."), 1000]
    with realtime_server(greeting=lambda _headers: goodbye) as (url, _):
        session = RealtimeSession(gip_nb.connect_async(GA, base_url=url, api_key=KEY, reconnect=False))
        with contextlib.suppress(GipError):
            session.connect()  # the end may come as quick as that
        with pytest.raises(GipError) as caught:
            session.wait("response.done", 5)
    assert type(session.error or caught.value) is kind
    with pytest.raises(kind, match="That is all" if kind is not ConnectionDropped else "code 1000"):
        session.ask("hello")
    check_log(session, ["session.created", "error", "local.connection.closed"])


# ----------------------------------------------------------------------------------------------- the dialect

REFUSALS: dict[str, Callable[[str], dict[str, Any]]] = {
    "by an event": lambda code: {"greeting": [error(code, NO_BETA), 4000]},
    "by an event in words alone": lambda _: {"greeting": [error(None, NO_BETA), 4000]},
    "by the reason of a close": lambda code: {"greeting": [(4000, f"invalid_request_error.{code}")]},
    "at the handshake": lambda code: {"refuse": (400, body(code, NO_BETA))},
}


def speaks(dialect: str, refusal: dict[str, Any]) -> dict[str, Any]:
    """A server's behaviour that speaks one dialect only, or none."""

    def is_theirs(headers: dict[str, str]) -> bool:
        return dialect == ("beta" if "OpenAI-Beta" in headers else "ga")

    hello = [GREETING if dialect == "beta" else GREETING_GA]
    return {
        "greeting": lambda headers: hello if is_theirs(headers) else refusal.get("greeting", hello),
        "refuse": lambda headers: None if is_theirs(headers) else refusal.get("refuse"),
    }


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize(
    ("model", "spoken", "code"), [(PREVIEW, "ga", "beta_api_shape_disabled"), (GA, "beta", "invalid_beta")]
)
def test_a_dialect_corrects_itself(
    refusal: Callable[[str], dict[str, Any]], model: str, spoken: str, code: str
) -> None:
    with realtime_server(**speaks(spoken, refusal(code))) as (url, seen):
        with gip_nb.connect(model, base_url=url, api_key=KEY) as session:
            assert session.state == "listening"
    assert len(seen.requests) == 2
    assert ("type" in seen.frames[0]["session"]) == (spoken == "ga")
    check_log(session, ["local.connection.opened", "session.created", "session.update"])


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize(("wanted", "spoken"), [("beta", "ga"), ("ga", "beta")])
def test_a_dialect_that_was_asked_for_is_not_given_up(
    refusal: Callable[[str], dict[str, Any]], wanted: str, spoken: str
) -> None:
    with realtime_server(**speaks(spoken, refusal("beta_api_shape_disabled"))) as (url, seen):
        with pytest.raises(GipError) as caught:
            gip_nb.connect(PREVIEW, base_url=url, api_key=KEY, dialect=wanted)
    told = Told(
        DialectRefused,
        "Dialect refused",
        (f"does not speak the {wanted} dialect",),
        f"leave out dialect='{wanted}'",
    )
    check(caught.value, told)
    assert isinstance(caught.value, ServerError)
    assert caught.value.code == "beta_api_shape_disabled"
    assert len(seen.requests) == 1
    assert caught.value.session is not None
    check_log(caught.value.session)


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_server_that_speaks_neither_dialect(refusal: Callable[[str], dict[str, Any]]) -> None:
    with realtime_server(**speaks("none", refusal("beta_api_shape_disabled"))) as (url, seen):
        with pytest.raises(GipError) as caught:
            gip_nb.connect(PREVIEW, base_url=url, api_key=KEY)
    check(caught.value, Told(DialectRefused, "Dialect refused", ("neither dialect",), "the API's root"))
    assert len(seen.requests) == 2


# ------------------------------------------------------------------------------- what is said before anything


WORDS: dict[str, tuple[Callable[[], object], Told]] = {
    "a model without a key": (
        lambda: gip_nb.talk(GA),
        Told(MissingKey, "No API key", (GA, "API key"), 'talk("rehearsal")'),
    ),
    "an address without a key": (
        lambda: gip_nb.connect(base_url="https://h/v1"),
        Told(MissingKey, "No API key", ("API key",), "GIP_API_KEY"),
    ),
    "a key in the model's place": (
        lambda: gip_nb.talk(KEY),
        Told(BadSetting, "Setting not usable", ("looks like an API key",), "api_key=..."),
    ),
    "a key with what stands before it in a header": (
        lambda: gip_nb.connect(GA, api_key=f"Bearer {KEY}"),
        Told(BadSetting, "Setting not usable", ("begins with 'Bearer'",), "the key alone"),
    ),
    "a key as a page shows it, shortened": (
        lambda: gip_nb.connect(GA, api_key=f"{KEY}…"),
        Told(BadSetting, "Setting not usable", ("beyond ASCII at position 20",), "copy the key once more"),
    ),
    "a key of two lines": (
        lambda: gip_nb.models(api_key=f"{KEY}\n{KEY}"),
        Told(BadSetting, "Setting not usable", ("line's end at position 20",), "copy the key once more"),
    ),
    "a typo in talk's keyword": (
        lambda: gip_nb.talk(voise="verse"),
        Told(UnknownOption, "Unknown option", ("'voise'",), "did you mean 'voice'?"),
    ),
    "a typo in connect's keyword": (
        lambda: gip_nb.connect(GA, api_key=KEY, instuctions="x"),
        Told(UnknownOption, "Unknown option", ("'instuctions'",), "did you mean 'instructions'?"),
    ),
    "a typo in connect_async's keyword": (
        lambda: gip_nb.connect_async(GA, tool=[]),
        Told(UnknownOption, "Unknown option", ("'tool'",), "did you mean 'tools'?"),
    ),
    "a keyword in capitals": (
        lambda: gip_nb.connect(turnDetection=None),
        Told(UnknownOption, "Unknown option", ("'turnDetection'",), "did you mean 'turn_detection'?"),
    ),
    "a header that would begin another": (
        lambda: gip_nb.connect(GA, api_key=KEY, extra_headers={"X-Team": "a\r\nX-Evil: b"}),
        Told(BadSetting, "Setting not usable", ("'X-Team'",), "on one line"),
    ),
    "a model in the query": (
        lambda: gip_nb.connect(GA, api_key=KEY, extra_query={"model": "another"}),
        Told(BadSetting, "Setting not usable", ("extra_query",), "model=..."),
    ),
}


@pytest.mark.parametrize(("do", "told"), WORDS.values(), ids=WORDS)
def test_before_there_is_a_session(do: Callable[[], object], told: Told) -> None:
    with pytest.raises(GipError) as caught:
        do()
    check(caught.value, told)


# -------------------------------------------------------------------------------------------------- the verbs


def tone(samples: int = 4800) -> NDArray[np.float64]:
    return 0.3 * np.sin(2 * np.pi * 440 * np.arange(samples) / 24_000)


def rated(rate_hz: Any) -> Callable[[RealtimeSession, Path], object]:
    return lambda s, _: s.ask(tone(), sample_rate_hz=rate_hz)


def commit_of_20_ms(session: RealtimeSession, _: Path) -> None:
    session.send_audio(bytes(960))
    session.commit()


def asked(x: Any) -> Callable[[RealtimeSession, Path], object]:
    return lambda s, _: s.ask(x)


def wav(
    name: str, data: bytes, *, kind: int = 1, channels: int = 1, rate_hz: int = 24_000, bits: int = 16
) -> Callable[[RealtimeSession, Path], object]:
    """Ask a file with such a header."""
    align = channels * bits // 8
    form = struct.pack("<HHIIHH", kind, channels, rate_hz, rate_hz * align, align, bits)
    whole = b"WAVE" + b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(data)) + data

    def ask(session: RealtimeSession, folder: Path) -> object:
        (folder / name).write_bytes(b"RIFF" + struct.pack("<I", len(whole)) + whole)
        return session.ask(folder / name)

    return ask


def not_a_rate(shown: str) -> Told:
    return Told(
        BadAudio,
        "Audio not usable",
        (f"sample_rate_hz is {shown};", "a whole number of Hz from 1000 to 768000"),
        "16000 (Hz, not kHz)",
    )


def bad_audio(*message: str, next_step: str = "") -> Told:
    return Told(BadAudio, "Audio not usable", message, next_step)


VERBS: dict[str, tuple[Callable[[RealtimeSession, Path], object], Told]] = {
    "rate zero": (rated(0), not_a_rate("0")),
    "rate below zero": (rated(-24_000), not_a_rate("-24000")),
    "rate in kHz": (rated(24), not_a_rate("24")),
    "rate of 5": (rated(5), not_a_rate("5")),
    "rate of ten million": (rated(10_000_000), not_a_rate("10000000")),
    "rate in parts": (rated(22_050.5), not_a_rate("22050.5")),
    "rate that is no number": (rated(math.nan), not_a_rate("nan")),
    "rate without end": (rated(math.inf), not_a_rate("inf")),
    "rate that is true": (rated(True), not_a_rate("True")),  # noqa: FBT003 - that is the case
    "rate in words": (rated("24000"), not_a_rate("'24000'")),
    "rate that is nothing": (rated(None), not_a_rate("None")),
    "rate of 5000 digits": (rated(10**5000), not_a_rate("a number of more than 18 digits")),
    "an empty array": (
        asked(np.zeros(0, np.float32)),
        bad_audio("no samples", "float32", "(0,)", next_step="at least one sample"),
    ),
    "a silent array": (
        asked(np.zeros(24_000, np.int16)),
        bad_audio("the audio is silent", "24000 samples (1000 ms)", next_step="send_audio()"),
    ),
    "an array too quiet to be heard": (
        asked(tone() * 1e-6),
        bad_audio("the audio is silent", "4800 samples (200 ms)", next_step="its scale"),
    ),
    "an array with holes": (
        asked(np.where(np.arange(4800) == 7, math.nan, tone())),
        bad_audio("1 of 4800 samples", "NaN", "index 7", next_step="nan_to_num"),
    ),
    "an array without bounds": (
        asked(np.where(np.arange(4800) == 9, math.inf, tone())),
        bad_audio("1 of 4800 samples", "infinite", "index 9", next_step="nan_to_num"),
    ),
    "int16's range as floats": (
        asked(tone() * 32_767),
        bad_audio("float samples reach 98", "full scale is 1.0", next_step="divide by 32768"),
    ),
    "samples of another type": (
        asked((tone() * 2e9).astype(np.int32)),
        bad_audio("dtype int32", next_step="int16, or of float32"),
    ),
    "samples of three axes": (
        asked(np.ones((2, 3, 4))),
        bad_audio("one or two axes", "(2, 3, 4)", next_step="(n,)"),
    ),
    "a list": (asked([0.1, 0.2]), bad_audio("a list is neither text nor audio", next_step="numpy array")),
    "too short for the API": (
        asked(np.ones(1200, np.int16)),
        bad_audio("50 ms long", "100 ms", next_step="something longer"),
    ),
    "a file that is not there": (
        lambda s, _: s.ask("nowhere.wav"),
        Told(AudioFileNotFound, "No such file", ("'nowhere.wav'",), "send_text()"),
    ),
    "a file that is silent": (
        wav("quiet.wav", bytes(48_000)),
        bad_audio("the audio is silent", "24000 samples"),
    ),
    "a file without samples": (
        wav("empty.wav", b""),
        bad_audio("empty.wav", "no samples", next_step="record again"),
    ),
    "a file without channels": (
        wav("none.wav", b"\1\0" * 4800, channels=0),
        bad_audio("none.wav", "0 channels", next_step="ffmpeg"),
    ),
    "a file without a rate": (
        wav("still.wav", b"\1\0" * 4800, rate_hz=0),
        bad_audio("still.wav", "the WAV's rate is 0", "1000 to 768000", next_step="ffmpeg"),
    ),
    "a file that is coded": (
        wav("law.wav", b"\1" * 9000, kind=7, bits=8),
        bad_audio("law.wav", "µ-law", next_step="ffmpeg"),
    ),
    "a letter": (
        lambda s, folder: ((folder / "letter.wav").write_text("dear sir"), s.ask(folder / "letter.wav")),
        bad_audio("letter.wav", "not a WAV", next_step="ffmpeg"),
    ),
    "nothing to ask": (asked("  \n"), bad_audio("the question is empty", next_step="pass some text")),
    "a commit of nothing": (
        lambda s, _: s.commit(),
        Told(NothingToDo, "Nothing to do", ("no audio to commit",), "send_audio() first"),
    ),
    "a commit of too little": (
        commit_of_20_ms,
        Told(NothingToDo, "Nothing to do", ("only 20 ms of audio", "100 ms"), "send_audio() first"),
    ),
    "a text as audio": (
        lambda s, _: s.send_audio("hello"),
        bad_audio("a text is no audio", next_step="send_text()"),
    ),
    "half a sample": (
        lambda s, _: s.send_audio(b"\1\0\1"),
        bad_audio("3 bytes", next_step="two bytes a sample"),
    ),
    "bytes of nothing": (
        lambda s, _: s.send_audio(b""),
        bad_audio("0 bytes", next_step="two bytes a sample"),
    ),
    "a typo in update's keyword": (
        lambda s, _: s.update(voise="verse"),
        Told(UnknownOption, "Unknown option", ("'voise'",), "did you mean 'voice'?"),
    ),
    "a typo in ask's keyword": (
        lambda s, _: s.ask("hello", sample_rate=24_000),  # type: ignore[call-arg]  # the case
        Told(UnknownOption, "Unknown option", ("'sample_rate'",), "did you mean 'sample_rate_hz'?"),
    ),
    "another in ask's keyword": (
        lambda s, _: s.ask("hello", timeout=5),  # type: ignore[call-arg]  # the case
        Told(UnknownOption, "Unknown option", ("'timeout'",), "did you mean 'timeout_s'?"),
    ),
    "a typo in wait's keyword": (
        lambda s, _: s.wait("response.done", timout_s=5),  # type: ignore[call-arg]  # the case
        Told(UnknownOption, "Unknown option", ("'timout_s'",), "did you mean 'timeout_s'?"),
    ),
    "a typo in respond's keyword": (
        lambda s, _: s.respond(instruction="be brief"),
        Told(UnknownOption, "Unknown option", ("'instruction'",), "did you mean 'instructions'?"),
    ),
    "no time to answer": (
        lambda s, _: s.ask("hello", timeout_s=0),
        Told(BadSetting, "Setting not usable", ("timeout_s is 0",), "more than 0"),
    ),
    "a time that compares with nothing": (
        lambda s, _: s.ask("hello", timeout_s=math.nan),
        Told(BadSetting, "Setting not usable", ("timeout_s is nan",), "in seconds"),
    ),
    "a time in words": (
        lambda s, _: s.wait("response.done", timeout_s="5"),  # type: ignore[arg-type]  # the case
        Told(BadSetting, "Setting not usable", ("timeout_s is '5'",), "in seconds"),
    ),
    "an update of what cannot change": (
        lambda s, _: s.update(model=GA),
        Told(BadSetting, "Setting not usable", ("model cannot change",), "talk(model=...)"),
    ),
    "an update of the address": (
        lambda s, _: s.update(base_url="https://h/v1"),
        Told(BadSetting, "Setting not usable", ("base_url cannot change",), "connect(base_url=...)"),
    ),
    "functions in an update": (
        lambda s, _: s.update(tools=[tone]),
        Told(BadSetting, "Setting not usable", ("tools is list",), "talk(tools=[...])"),
    ),
    "instructions that are no text": (
        lambda s, _: s.update(instructions=["be", "brief"]),
        Told(BadSetting, "Setting not usable", ("instructions is a list",), "as text"),
    ),
    "an event that is none": (
        lambda s, _: s.send({"no": "type"}),
        Told(BadSetting, "Setting not usable", ("without a type",), "{'type': 'response.create'}"),
    ),
    "what JSON cannot carry": (
        lambda s, _: s.send({"type": "x", "value": object()}),
        Told(BadSetting, "Setting not usable", ("JSON cannot carry this",), "plain dicts"),
    ),
}


@pytest.mark.parametrize(("do", "told"), VERBS.values(), ids=VERBS)
def test_of_a_verb(do: Callable[[RealtimeSession, Path], object], told: Told, tmp_path: Path) -> None:
    transport = ScriptedTransport(Model(), greeting=[GREETING])  # type: ignore[arg-type]  # no close codes in this script
    settings = resolve("test-preview", api_key=KEY, environment={})
    session = RealtimeSession(AsyncRealtimeSession(settings, transport=transport.for_session))
    with session:
        session.ask("before")
        sent, rows = len(transport.sent), len(session.events)
        with pytest.raises(GipError) as caught:
            do(session, tmp_path)
        check(caught.value, told)
        # What the failure was about was not sent, nothing was lost, and the talk goes on.
        appended = [e for e in transport.sent[sent:] if e["type"] != "input_audio_buffer.append"]
        assert (appended, len(session.events) - rows) == ([], len(transport.sent) - sent)
        assert session.ask("after").text.startswith("word 0")
    check_log(session, ["session.created", "response.done", "response.done", "local.connection.closed"])
    assert session.turns.user_text.tolist() == ["before", "after"]


def test_silence_may_be_sent_on_purpose() -> None:
    transport = ScriptedTransport(Model(), greeting=[GREETING])  # type: ignore[arg-type]  # no close codes in this script
    settings = resolve("test-preview", api_key=KEY, environment={})
    with RealtimeSession(AsyncRealtimeSession(settings, transport=transport.for_session)) as session:
        session.send_audio(np.zeros(4800, np.int16))
        session.send_audio(bytes(9600))
        session.commit()
    assert session.events.query("event == 'input_audio_buffer.append'").audio_ms.sum() == 400


# ----------------------------------------------------------------------------- a WAV that lies of its length

SOUND = np.rint(tone() * 32_767).astype("<i2").tobytes()
WHOLE = wav_bytes(SOUND)
TAIL = b"LIST" + struct.pack("<I", 4) + b"INFO"


def lying(data_size: int, riff_size: int | None = None, tail: bytes = b"") -> bytes:
    riff = len(WHOLE) - 8 if riff_size is None else riff_size
    return (
        WHOLE[:4] + struct.pack("<I", riff) + WHOLE[8:40] + struct.pack("<I", data_size) + WHOLE[44:] + tail
    )


LIES = {
    "nothing, as a recorder that was killed": (lying(0, 0), SOUND),
    "nothing, and the rest is right": (lying(0), SOUND),
    "the most there is, as to a pipe": (lying(0xFFFF_FFFF, 0xFFFF_FFFF), SOUND),
    "a little less than the most": (lying(0x7FFF_F000, 0x7FFF_F024), SOUND),
    "one more than there is": (lying(len(SOUND) + 1), SOUND),
    "half of what there is": (lying(len(SOUND) // 2), SOUND),
    "an odd number": (lying(len(SOUND) // 2 + 1), SOUND),
    "the truth, and more follows": (lying(len(SOUND), tail=TAIL), SOUND),
    "the truth, and a song's name follows": (lying(len(SOUND), tail=b"ID3\x04" + bytes(200)), SOUND),
    "nothing, with a tail that becomes sound": (lying(0, 0, TAIL), SOUND + TAIL),
    "the file ends in the middle of a sample": (WHOLE[:-1], SOUND[:-2]),
    "the file ends in the middle": (WHOLE[: 44 + 6000], SOUND[:6000]),
}


@pytest.mark.parametrize(("data", "wanted"), LIES.values(), ids=LIES)
def test_a_wav_that_lies_about_its_length(data: bytes, wanted: bytes, tmp_path: Path) -> None:
    (tmp_path / "liar.wav").write_bytes(data)
    transport = ScriptedTransport(Model(), greeting=[GREETING])  # type: ignore[arg-type]  # no close codes in this script
    settings = resolve("test-preview", api_key=KEY, environment={})
    with RealtimeSession(AsyncRealtimeSession(settings, transport=transport.for_session)) as session:
        assert session.ask(tmp_path / "liar.wav").text.startswith("word 0")
    sent = [base64.b64decode(e["audio"]) for e in transport.sent if e["type"] == "input_audio_buffer.append"]
    assert b"".join(sent) == wanted
