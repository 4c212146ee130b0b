"""The key stays in the kernel: one test hunts for it wherever it could have gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.browser.test_talk import ANSWERED, rows, start, stop
from tests.sim.session.servers import GREETING, Model, realtime_server

if TYPE_CHECKING:
    from tests.browser.conftest import OpenNotebook
    from tests.browser.lab import Lab
    from tests.sim.session.servers import Event

KEY = "sk-Very+Secret/0123456789-abcdefghij"
# A server that answers each question by telling the key: in an error, in a transcript, in a session.
ECHO = {"type": "error", "error": {"code": "odd", "message": f"your key {KEY} is fine"}}

LOG_EVERYTHING = """
import logging
records = []
class Keep(logging.Handler):
    def emit(self, record):
        records.append(self.format(record))
logging.getLogger().addHandler(Keep())
logging.getLogger().setLevel(logging.DEBUG)
for name in ("websockets", "websockets.client", "openai", "httpx", "httpcore", "gip_nb"):
    logging.getLogger(name).setLevel(logging.DEBUG)
"""


def test_the_key_is_nowhere_but_in_the_handshake(open_a_notebook: OpenNotebook, lab: Lab) -> None:
    model = Model(chunks=10)

    def answers(event: Event) -> list[Event | int]:
        if event["type"] == "conversation.item.create":
            return [ECHO, *model(event)]
        return list(model(event))

    folder = lab.root / "secret"
    folder.mkdir()
    with realtime_server(answers, greeting=lambda _headers: (GREETING,)) as (url, seen):
        (folder / ".env").write_text(f"GIP_API_KEY={KEY}\nGIP_BASE_URL={url}\n")
        notebook = open_a_notebook(name="secret/talk.ipynb", fresh=True)
        crossed: list[str] = []
        notebook.page.on(
            "websocket",
            lambda socket: [
                socket.on(kind, lambda payload: crossed.append(_text(payload)))  # type: ignore[call-overload]  # Playwright's overloads take one literal each
                for kind in ("framesent", "framereceived")
            ],
        )
        notebook.reload()
        notebook.run("%load_ext gip_nb\n%xmode Verbose")
        notebook.run(LOG_EVERYTHING)
        notebook.run("w = talk(); w")
        start(notebook)
        box = notebook.widget().get_by_test_id("gip-text")
        box.fill("what is my key?")
        box.press("Enter")
        expect(rows(notebook, "assistant").first).to_contain_text("word 9", timeout=15_000)
        notebook.wait_for(ANSWERED)
        notebook.run("w.session.events")
        notebook.run("w.session.payload(0), repr(w.session), repr(w), w.session._session.settings")
        stop(notebook)
        traits = notebook.kernel("{name: repr(getattr(w, name)) for name in w.trait_names()}")
        payloads = notebook.kernel("[w.session.payload(n) for n in range(len(w.session.events))]")
        table = notebook.kernel(
            "w.session.events.to_csv() + w.session.items.to_csv() + w.session.turns.to_csv()"
        )
        assert seen.requests[0][1]["Authorization"] == f"Bearer {KEY}"

    # Refused by a server that says it back: the exception, with the longest traceback that IPython makes.
    with realtime_server(refuse=(401, f"Incorrect API key provided: {KEY}")) as (url, _):
        (folder / ".env").write_text(f"GIP_API_KEY={KEY}\nGIP_BASE_URL={url}\n")
        (refused,) = notebook.run("import gip_nb; gip_nb.connect()", may_fail=True)
        assert refused["ename"] == "KeyRefused"
        assert "[key]" in refused["evalue"]
    logged = notebook.kernel("records")
    saved = notebook.save().read_text("utf-8")

    assert any("[key]" in str(p) for p in payloads), "the echo came, and was written [key]"
    assert any("WebSocket" in line or "websocket" in line for line in logged), "DEBUG logging was on"
    assert len(crossed) > 50
    hunted = {
        "traits": str(traits),
        "events": table,
        "payloads": str(payloads),
        "log records": "\n".join(logged),
        "exception": str(refused),
        "saved notebook": saved,
        "comm messages": "\n".join(crossed),
        "page": notebook.page.content(),
    }
    found = [place for place, text in hunted.items() if KEY in text or KEY.replace("/", "\\/") in text]
    assert found == []


def _text(payload: str | bytes) -> str:
    return payload if isinstance(payload, str) else payload.decode("utf-8", "replace")
