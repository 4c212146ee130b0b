"""The axe rules on the widget, in JupyterLab's light and dark theme: names, roles, contrast AA."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.lab import Notebook

AXE = Path(__file__).parents[2] / "js" / "node_modules" / "axe-core" / "axe.min.js"
# JupyterLab's body is of no height and hides what overflows it: axe takes all of the page for unseen.
SEEN = "body { height: 100vh }"
# What is wrong, as lines that name the rule, the element and the reason; and whether contrast was looked at.
RUN = """async (view, runOnly) => {
  const { passes, violations } = await axe.run(view, { runOnly });
  const measured = passes.find(({ id }) => id === "color-contrast")?.nodes ?? [];
  const lines = violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 160)}: ${failureSummary}`));
  const [ratio] = measured.filter(({ target }) => target[0] === ".gip-state").map(({ any }) => any[0].data);
  return ratio?.contrastRatio > 1 ? lines : [...lines, "no contrast was measured"];
}"""
ALL = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What a theme can change.
CONTRAST = ["color-contrast"]
TOOL = '''def get_weather(city: str) -> dict:
    """The weather in a city."""
    return {"city": city, "temperature_c": 21.3}
'''


def complaints(view: Locator, where: str, rules: list[str] = ALL) -> list[str]:
    return [f"{where}: {line}" for line in view.evaluate(RUN, rules)]


def in_each_tab(view: Locator, when: str, rules: list[str] = ALL) -> list[str]:
    found = []
    for tab in view.get_by_role("tab").all():
        tab.click()
        found += complaints(view, f"{when}, {tab.text_content()}", rules)
    view.get_by_role("tab").first.click()
    return found


@pytest.mark.soak  # most of a minute; run it after a change of the page
def test_no_rule_of_axe_is_broken(notebook: Notebook) -> None:
    notebook.theme("light")
    notebook.run("%load_ext gip_nb")
    notebook.run(TOOL)
    notebook.run("w = talk(tools=[get_weather]); w")
    notebook.page.add_style_tag(content=SEEN)
    notebook.page.add_script_tag(path=AXE)
    view = notebook.widget()
    expect(view).to_have_attribute("data-gip-state", "idle")
    found = in_each_tab(view, "idle")
    view.get_by_role("button", name="Start talking").click()
    # A spoken question, a tool, the answer.
    expect(view.locator(".gip-row[data-role=assistant]").first).to_contain_text("21.3")
    notebook.kernel("w.session.interrupt()")
    expect(view).to_have_attribute("data-gip-state", "listening")
    notebook.kernel("w.session.label(1, 'wrong city', tags='geo', rating='down')")
    expect(view.locator(".gip-label")).to_have_count(2)
    found += in_each_tab(view, "live")
    notebook.theme("dark")
    found += in_each_tab(view, "live and dark", CONTRAST)
    # As it is seen, then with what can be done with it.
    view.locator(".gip-row[data-role=assistant]").first.hover()
    expect(view.get_by_role("button", name="Thumbs down")).to_have_attribute("aria-pressed", "true")
    found += complaints(view, "an answer that is pointed at")
    view.get_by_role("button", name="Keys").click()
    found += complaints(view, "the keys")
    view.get_by_role("button", name="Close").click()
    view.get_by_role("button", name="Mute").click()
    expect(view).to_have_attribute("data-gip-state", "muted")
    found += complaints(view, "muted")
    view.get_by_role("radio", name="Push to talk").click()
    expect(view).to_have_attribute("data-gip-turns", "manual")
    view.get_by_role("button", name="Hold to talk").press("Enter")
    expect(view).to_have_attribute("data-gip-state", "hearing")
    found += complaints(view, "pressed")
    view.get_by_role("button", name="Stop").click()
    expect(view).to_have_attribute("data-gip-state", "closed")
    found += complaints(view, "ended")
    assert not found, "\n\n".join(found)
