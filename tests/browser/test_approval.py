"""A call that needs leave: allowed by a click, and the newest definition of a tool is what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
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
