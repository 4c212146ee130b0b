"""`%talk`: what it takes, what it gives, and what it says to a slip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

import gip_nb
from gip_nb.errors import BadSetting, GipError, MissingKey, UnknownOption
from gip_nb.notebook import widget

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "sk-secret-0123456789"
WEATHER = '''
def get_weather(city: str) -> str:
    """The weather in a city."""
    return "fine"

def add(a: int, b: int) -> int:
    """A sum."""
    return a + b
'''


class Notebook:
    """Cells that are run one after the other."""

    def __init__(self) -> None:
        self.shell: Any = InteractiveShell()  # type: ignore[no-untyped-call]  # IPython has no types
        self.run("%load_ext gip_nb")

    def run(self, cell: str) -> Any:
        """The cell's value, or what it raised."""
        done = self.shell.run_cell(cell)
        problem = done.error_before_exec or done.error_in_exec
        if problem is not None:
            raise problem
        return done.result


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Notebook]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(widget, "_warm_up", lambda **_: None)
    notebook = Notebook()
    yield notebook
    notebook.run("%unload_ext gip_nb")


def test_alone_it_is_what_talk_is(notebook: Notebook) -> None:
    talk = notebook.run("%talk")
    assert isinstance(talk, widget.Talk)
    assert gip_nb.current() is talk
    assert talk._settings.rehearsal
    # It was the cell's value, so it was shown.
    assert notebook.shell.user_ns["_"] is talk
    assert notebook.run("%talk rehearsal") is gip_nb.current() is not talk


@pytest.mark.parametrize(
    "line", ["%talk rehearsal;", "%talk   rehearsal  ", "w = %talk rehearsal", "talk('rehearsal')"]
)
def test_it_may_be_written_like_any_line(notebook: Notebook, line: str) -> None:
    notebook.run(line)
    talk = gip_nb.current()
    assert talk is not None
    assert talk._settings.model == "rehearsal"
    if line.startswith("w"):
        assert notebook.shell.user_ns["w"] is talk


def test_every_option_arrives(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIP_API_KEY", KEY)
    notebook.run(WEATHER)
    talk = notebook.run(
        '%talk openai/gpt-realtime --voice verse --instructions "Be brief; don\'t shout" --dialect ga'
        " --base-url wss://h.example/v1/realtime --turn-detection semantic_vad --transcription off"
        " --tool get_weather --tool add --budget 1.5"
    )
    settings = talk._settings
    assert (settings.model, settings.base_url, settings.dialect) == (
        "openai/gpt-realtime",
        "https://h.example/v1",
        "ga",
    )
    assert settings.session == {
        "instructions": "Be brief; don't shout",
        "audio": {
            "input": {"turn_detection": {"type": "semantic_vad"}, "transcription": None},
            "output": {"voice": "verse"},
        },
    }
    assert [tool["name"] for tool in talk._tools.schemas()] == ["get_weather", "add"]
    assert talk._settings.budget_usd == talk.session.budget_usd == 1.5


def test_prices_come_from_a_file(notebook: Notebook, tmp_path: Path) -> None:
    rate = '{"input": 1, "output": 1}'
    (tmp_path / "team.json").write_text(f'{{"rehearsal": {{"text": {rate}, "audio": {rate}}}}}')
    settings = notebook.run("%talk rehearsal --prices team.json --budget $2")._settings
    assert [(price.model, price.source) for price in settings.prices.own] == [("rehearsal", "team.json")]
    assert settings.budget_usd == 2.0
    with pytest.raises(BadSetting, match="cannot be read"):
        notebook.run("%talk rehearsal --prices nobody.json")
    with pytest.raises(BadSetting, match="budget_usd is 'much'"):
        notebook.run("%talk rehearsal --budget much")


@pytest.mark.parametrize(
    ("given", "where", "wanted"),
    [
        ("--turn-detection none", "turn_detection", None),
        ("--turn-detection=server_vad", "turn_detection", {"type": "server_vad"}),
        ("--transcription on", "transcription", {"model": "whisper-1"}),
        ("--transcription gpt-4o-transcribe", "transcription", {"model": "gpt-4o-transcribe"}),
    ],
)
def test_words_for_what_is_no_text(notebook: Notebook, given: str, where: str, wanted: object) -> None:
    assert notebook.run(f"%talk rehearsal {given}")._settings.session["audio"]["input"][where] == wanted


def test_the_notebook_keeps_the_talk_or_not(notebook: Notebook) -> None:
    assert notebook.run("%talk rehearsal")._record_class
    assert not notebook.run("%talk rehearsal --no-record")._record_class
    assert not notebook.run("talk('rehearsal', record=False)")._record_class
    with pytest.raises(BadSetting, match="record"):
        notebook.run("talk('rehearsal', record='no')")


def test_the_talk_is_written_to_disk_or_not(notebook: Notebook, tmp_path: Path) -> None:
    assert notebook.run("%talk rehearsal --log my/runs")._settings.log == tmp_path / "my/runs"
    assert notebook.run("talk('rehearsal', log='runs')")._settings.log == tmp_path / "runs"
    assert notebook.run("%talk rehearsal")._settings.log is None
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadSetting, match="cannot write a log"):
        notebook.run("%talk rehearsal --log file/runs")


def test_the_model_speaks_first_or_not(notebook: Notebook) -> None:
    assert notebook.run("%talk rehearsal --greet")._greeting._words
    assert not notebook.run("%talk rehearsal")._greeting._words


def test_tools_may_stand_in_one_list_and_variables_in_the_line(notebook: Notebook) -> None:
    notebook.run(WEATHER)
    notebook.run("words = 'Be kind'")
    talk = notebook.run('%talk rehearsal --tool get_weather,add --instructions "{words}"')
    assert len(talk._tools.schemas()) == 2
    assert talk._settings.session["instructions"] == "Be kind"


@pytest.mark.parametrize(
    ("line", "kind", "message", "next_step"),
    [
        ("--voise verse", UnknownOption, "'--voise'", "did you mean '--voice'?"),
        ("--instr x", UnknownOption, "'--instr'", "did you mean '--instructions'?"),
        ("--turn_detection none", UnknownOption, "'--turn_detection'", "did you mean '--turn-detection'?"),
        ("-v verse", UnknownOption, "'-v'", "did you mean '--voice'?"),
        ("--zzz", UnknownOption, "'--zzz'", "--base-url, --budget, --dialect, --greet, --instructions"),
        ("--help", UnknownOption, "'--help'", "--base-url"),
        ("--voice", BadSetting, "--voice: expected one argument", "%talk?"),
        ("one two", BadSetting, "one model, and 'two'", "double quotes"),
        ("rehearsal --instructions be brief", BadSetting, "'brief'", "double quotes"),
        ("--instructions don't", BadSetting, "quote is opened", "double quotes"),
        ("--dialect GA", BadSetting, "dialect 'GA'", "'auto', 'beta' or 'ga'"),
        ("--turn-detection semantic-vad", BadSetting, "'semantic-vad'", "did you mean 'semantic_vad'?"),
        ("--tool get_wether", BadSetting, "no function of this name", "did you mean 'get_weather'?"),
        ("--tool zzz", BadSetting, "'zzz'", "Run the cell that defines it"),
        ("--tool sys", BadSetting, "is a module", "a function of this notebook"),
        ("--tool ''", BadSetting, "''", "Run the cell that defines it"),
        ("--tool get_weather --tool get_weather", BadSetting, "two tools", "another name"),
        ("openai/gpt-realtime", MissingKey, "openai/gpt-realtime", "GIP_API_KEY"),
        (f"--api-key {KEY}", BadSetting, "saved with the notebook", "GIP_API_KEY"),
        (f"--api_key={KEY}", BadSetting, "saved with the notebook", "GIP_API_KEY"),
        (KEY, BadSetting, "looks like an API key", "GIP_API_KEY"),
    ],
)
def test_a_slip_is_an_error_of_ours(
    notebook: Notebook, line: str, kind: type[GipError], message: str, next_step: str
) -> None:
    notebook.run(WEATHER)
    notebook.run("import sys")
    before = gip_nb.current()
    with pytest.raises(GipError) as caught:
        notebook.run(f"%talk {line}")
    assert type(caught.value) is kind
    assert message in caught.value.message
    assert next_step in caught.value.next_step
    assert KEY not in str(caught.value)
    assert gip_nb.current() is before


def test_a_wrong_address_offers_the_right_one(notebook: Notebook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIP_API_KEY", KEY)
    with pytest.raises(BadSetting, match="did you mean 'http://localhost:8000/v1'"):
        notebook.run("%talk --base-url localhost:8000/v1")


def test_its_help_names_every_option(notebook: Notebook) -> None:
    told = notebook.shell.object_inspect("%talk")["docstring"]
    assert "%talk [--voice VOICE]" in told
    for option in ("model", "--instructions", "--dialect", "--base-url", "--turn-detection", "--tool"):
        assert option in told
    assert "%%" not in told
    assert "GIP_API_KEY" in told


def test_it_comes_and_goes_with_the_extension(notebook: Notebook) -> None:
    lines = notebook.shell.magics_manager.magics["line"]
    assert "talk" in lines
    notebook.run("%reload_ext gip_nb")
    notebook.run("%unload_ext gip_nb")
    assert "talk" not in lines
    assert "talk" not in notebook.shell.user_ns
    # What is somebody else's by then stays.
    notebook.run("%load_ext gip_nb")
    notebook.run("talk = 5")
    lines["talk"] = print
    notebook.run("%unload_ext gip_nb")
    assert lines.pop("talk") is print
    assert notebook.shell.user_ns["talk"] == 5
    notebook.run("%load_ext gip_nb")


def test_two_shells_have_their_own_names(notebook: Notebook) -> None:
    other = Notebook()
    other.run(WEATHER)
    assert other.run("%talk rehearsal --tool add")
    with pytest.raises(BadSetting, match="no function of this name"):
        notebook.run("%talk rehearsal --tool add")
