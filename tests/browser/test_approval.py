"""A call that needs leave: asked about in the page, and the newest definition of a tool is what runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.lab import Notebook

FIRST = '''import gip_nb
@gip_nb.tool(approve=True)
def get_weather(city: str) -> str:
    """The weather in a city."""
    return "first " + city
'''


def test_a_click_allows_a_call_and_a_redefined_tool_is_the_one_that_runs(notebook: Notebook) -> None:
    notebook.run("%load_ext gip_nb")
    notebook.run(FIRST)
    notebook.run("w = talk('rehearsal', tools=[get_weather]); w")
    view = notebook.widget()
    expect(view).to_have_attribute("data-gip-state", "idle")
    for word in ("first", "second"):
        notebook.kernel("w.session.send_text('what is the weather in Seoul')")
        notebook.kernel("w.session.respond()")
        card = view.locator(".gip-approval:visible")
        expect(card.locator(".gip-arguments")).to_contain_text("Seoul")
        card.get_by_role("button", name="Allow once").click()
        expect(card).to_have_count(0)
        expect(view.locator(".gip-row[data-role=assistant]").last).to_contain_text(f"{word} Seoul")
        notebook.run(FIRST.replace("first", "second"))


TWO = '''import gip_nb
ran = []
@gip_nb.tool(approve=True)
def get_weather(city: str) -> str:
    """The weather in a city."""
    ran.append("weather " + city)
    return "sunny " + city
@gip_nb.tool(approve=True)
def get_price(city: str) -> str:
    """What a hotel costs in a city."""
    ran.append("price " + city)
    return "cheap " + city
'''


def test_a_question_is_denied_answered_for_the_talk_or_asked_again_after_a_reload(notebook: Notebook) -> None:
    notebook.run("%load_ext gip_nb")
    notebook.run(TWO)
    notebook.run("w = talk('rehearsal', tools=[get_weather, get_price]); w")
    expect(notebook.widget()).to_have_attribute("data-gip-state", "idle")

    def ask(text: str) -> None:
        notebook.kernel(f"w.session.send_text({text!r})")
        notebook.kernel("w.session.respond()")

    def cards(of: str = "Run") -> Locator:
        return notebook.widget().locator(".gip-approval:visible").filter(has_text=of)

    def press(of: str, name: str) -> None:
        cards(of).get_by_role("button", name=name).click()
        expect(cards(of)).to_have_count(0)

    ask("what is the weather in Seoul")
    press("get_weather", "Deny")
    expect(notebook.widget().locator(".gip-call-state").last).to_have_text("denied")
    ask("what is the weather in Seoul and what is the price in Busan")
    expect(cards()).to_have_count(2)
    press("get_weather", "Allow for this talk")
    expect(cards("get_price").locator(".gip-arguments")).to_contain_text("Busan")
    notebook.save()
    notebook.reload()
    expect(cards("get_price").locator(".gip-approval-left")).to_have_text(re.compile(r"^denied in \d+ s$"))
    press("get_price", "Allow once")
    notebook.wait_for("ran == ['weather Seoul', 'price Busan']")
    expect(notebook.widget().locator(".gip-row[data-role=assistant]").last).to_contain_text("cheap Busan")
    ask("what is the weather in Busan")
    notebook.wait_for("ran[2:] == ['weather Busan']")
    expect(cards()).to_have_count(0)
