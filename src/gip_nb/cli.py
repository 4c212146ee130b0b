"""`gip-nb`: a demonstration, the embedded realtime server alone, and what works on this machine."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import textwrap
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gip_nb
from gip_nb.errors import GipError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from gip_nb.session.reply import Reply

__all__ = ["main"]

PACKAGE = Path(gip_nb.__file__).parent
QUESTION = PACKAGE / "rehearsal" / "question.wav"
TUTORIAL = "01_talk.ipynb"
INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; default: the process's own.

    Returns:
        The exit code: 0, 1 where something of this package's errors happened, 2 for a wrong command line,
        130 after Ctrl-C.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if given[:1] == ["serve"]:
            from gip_nb.rehearsal import server

            return server.main(given[1:])
        asked = _parser().parse_args(given)
        if asked.verb == "doctor":
            return doctor(connect=asked.connect)
        return demo(headless=asked.headless)
    except GipError as error:
        print(f"gip-nb: {error.message}\n→ {error.next_step}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gip-nb", description="Talk to a realtime speech model.")
    parser.add_argument("--version", action="version", version=f"gip_nb {gip_nb.__version__}")
    verbs = parser.add_subparsers(required=True, dest="verb", metavar="demo | serve | doctor")
    show = verbs.add_parser("demo", help="one spoken turn, printed; then JupyterLab on the tutorial")
    show.add_argument(
        "--headless",
        action="store_true",
        default=os.environ.get("HEADLESS", "0") not in {"", "0"},
        help="stop before JupyterLab; HEADLESS=1 in the environment does the same",
    )
    look = verbs.add_parser("doctor", help="what works on this machine, what does not, and what to do")
    look.add_argument(
        "--connect",
        action="store_true",
        help="also open a session and close it again; some gateways charge for that",
    )
    # Listed for --help only: its arguments are the server's own, and `main` hands them on unread.
    verbs.add_parser("serve", add_help=False, help="the embedded realtime server alone, for any client")
    return parser


# ----------------------------------------------------------------------------------------------------- doctor


def doctor(*, connect: bool) -> int:
    """Print what works here; 1 where something does not.

    Args:
        connect: see `gip_nb.doctor`.
    """
    _speak_plainly()
    report = gip_nb.doctor(connect=connect)
    print(report)
    return 0 if report.ok else 1


# ------------------------------------------------------------------------------------------------------- demo


def _speak_plainly() -> None:
    """A terminal without → still gets its lines."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def demo(*, headless: bool) -> int:
    """One spoken turn through the embedded server, printed; then JupyterLab on the tutorial.

    Args:
        headless: stop before JupyterLab.

    Returns:
        The exit code; JupyterLab's, where it ran.

    Raises:
        GipError: the turn failed.
    """
    _speak_plainly()
    print(f"{_bold(f'gip_nb {gip_nb.__version__}')}  one spoken turn with the rehearsal server")
    print(
        "The server runs on this machine: no key, no network, and no model, only plain rules.\n", flush=True
    )
    with gip_nb.connect("rehearsal") as session:
        reply = session.ask(QUESTION)
    print(_conversation(session.turns, reply))
    print(_section("turns", session.turns, _turns_table(session.turns)))
    print(_section("events", session.events, _events_table(session.events)))
    if find_spec("pocketsphinx") is None or find_spec("espeakng_loader") is None:
        print('`pip install "gip_nb[rehearsal]"` gives the rehearsal server real ears and a real voice.\n')
    return 0 if headless else open_tutorial()


def _conversation(turns: pd.DataFrame, reply: Reply) -> str:
    """Who said what, as lines of text with a hanging indent."""
    turn = turns.iloc[-1]
    said = [
        ("you", turn["user_text"], turn["user_audio_ms"]),
        ("answer", reply.text, turn["assistant_audio_ms"]),
    ]
    lines = []
    for who, text, audio_ms in said:
        lines += textwrap.wrap(
            f"{_text(text)}  ({_number(audio_ms / 1000, ' s of speech', digits=1)})",
            width=_width(),
            initial_indent=f"  {who:8}",
            subsequent_indent=" " * 10,
        )
    return "\n".join(lines) + "\n"


def _turns_table(turns: pd.DataFrame) -> list[list[str]]:
    header = ["turn", "status", "first event", "first audio", "answer", "billed", "tokens in", "out"]
    rows = [
        [
            str(number),
            _text(row["status"]),
            _number(row["first_event_ms"], " ms"),
            _number(row["first_audio_ms"], " ms"),
            _number(row["assistant_audio_ms"], " ms"),
            _number(row["requests"]),
            _number(row["input_tokens"]),
            _number(row["output_tokens"]),
        ]
        for number, row in turns.iterrows()
    ]
    return [header, *rows]


def _events_table(events: pd.DataFrame) -> list[list[str]]:
    """One line a kind of event, in the order of their first coming."""
    header = ["event", "sent", "received", "local", "first at", "last at"]
    rows = []
    for name, group in events.groupby("event", sort=False, observed=True):
        counts = group["direction"].value_counts()
        rows.append(
            [
                str(name),
                *(str(counts[way]) if counts[way] else "·" for way in ("sent", "received", "local")),
                _number(group["elapsed_s"].min(), " s", digits=3),
                _number(group["elapsed_s"].max(), " s", digits=3),
            ]
        )
    return [header, *rows]


def _section(name: str, frame: pd.DataFrame, table: Iterable[Sequence[str]]) -> str:
    """A table as text: words to the left, figures to the right, under the attribute's name."""
    rows = list(table)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    words = [all(cell[:1].isalpha() for cell in column) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(row, widths, words, strict=True)
        ).rstrip()
        for row in rows
    ]
    count = f"{len(frame)} row{'s' * (len(frame) != 1)}"
    return "\n".join([f"{_bold(f'session.{name}')}  {count}", *(f"  {line}" for line in lines), ""])


def _text(value: Any) -> str:  # noqa: ANN401 - a cell of a table, maybe NA
    return value if isinstance(value, str) else "(nothing)"


def _number(value: Any, unit: str = "", *, digits: int = 0) -> str:  # noqa: ANN401 - as above
    import pandas as pd

    return "-" if pd.isna(value) else f"{value:,.{digits}f}{unit}"


def _bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text


def _width() -> int:
    return min(shutil.get_terminal_size().columns, 100)


# --------------------------------------------------------------------------------------------------- tutorial


def open_tutorial() -> int:
    """Open JupyterLab on the tutorial and stay until it ends; its exit code, or 1 where there is none."""
    notebook = tutorial_in(Path.cwd())
    if find_spec("jupyterlab") is None:
        print(
            f"gip-nb: JupyterLab is not installed beside {sys.executable}\n"
            f"→ `pip install jupyterlab`, then `jupyter lab {notebook}`",
            file=sys.stderr,
        )
        return 1
    print(f"Opening {notebook} in JupyterLab; Ctrl-C here ends it.\n", flush=True)
    command = [sys.executable, "-m", "jupyterlab", str(notebook)]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append(
            "--allow-root"
        )  # in a container there is nobody else; it listens on loopback, with a token
    with subprocess.Popen(command) as lab:
        while True:
            try:
                return lab.wait()
            except KeyboardInterrupt:
                continue  # JupyterLab got it too, and asks the person whether they mean it


def tutorial_in(folder: Path) -> Path:
    """The tutorial as a file that may be written to.

    Args:
        folder: where the person works. In a copy of the repository it is the one there; else the one beside
            them, put there now if it was not: theirs is never overwritten.

    Returns:
        Its path, relative to `folder`.
    """
    in_repository = Path("notebooks") / TUTORIAL
    if (folder / in_repository).is_file():
        return in_repository
    if not (folder / TUTORIAL).exists():
        shipped = PACKAGE / "notebooks" / TUTORIAL
        if not shipped.is_file():  # an editable install runs from the repository
            shipped = PACKAGE.parent.parent / in_repository
        shutil.copyfile(shipped, folder / TUTORIAL)
    return Path(TUTORIAL)


if __name__ == "__main__":
    sys.exit(main())
