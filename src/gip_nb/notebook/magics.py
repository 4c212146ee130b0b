"""`%talk`: a talk in one line of a cell. Imports nothing but IPython until it is used."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from IPython.core import magic_arguments
from IPython.core.error import UsageError

from gip_nb.errors import BadSetting, UnknownOption

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from IPython.core.interactiveshell import InteractiveShell

    from gip_nb.notebook.widget import Talk

__all__ = ["register", "unregister"]

_HELP = "%talk? shows all that it takes."
_KEY_OPTIONS = ("--api-key", "--api_key", "--key")

_untyped: Any = magic_arguments
_parser = _untyped.MagicArgumentParser(
    "talk",
    description="""A widget to talk to a realtime model, as talk() makes it: Start in it connects.

Everything may be left out. The key comes from GIP_API_KEY, never from the cell.
`w = %talk` keeps the talk; gip_nb.current() finds the newest one.
""",
)
_parser.add_argument("model", nargs="?", help="id with its provider's prefix, or `rehearsal`")
_parser.add_argument("--voice", help="the model's voice")
_parser.add_argument("--instructions", metavar="TEXT", help="the system prompt, in quotes")
_parser.add_argument("--dialect", help="auto, beta or ga")
_parser.add_argument(
    "--base-url", metavar="ADDRESS", help="http, https, ws or wss, with or without /realtime"
)
_parser.add_argument(
    "--turn-detection", metavar="HOW", help="server_vad, semantic_vad or none (push to talk)"
)
_parser.add_argument("--transcription", metavar="HOW", help="of your words: on, off or a model's name")
_parser.add_argument(
    "--tool", metavar="NAME", action="append", help="a function of this notebook; repeatable"
)
_parser.add_argument("--prices", metavar="FILE", help="a JSON file of your own prices")
_parser.add_argument(
    "--budget",
    dest="budget_usd",
    metavar="USD",
    help="the most that a session may cost; no answer is asked for beyond it",
)
_parser.add_argument(
    "--log", metavar="FOLDER", help="write the talk and its sound into a folder of its own there"
)
_parser.add_argument(
    "--no-record",
    dest="record",
    action="store_const",
    const=False,
    help="do not keep the conversation in the notebook",
)
_parser.add_argument(
    "--greet", action="store_const", const=True, help="the model says the first words when the talk starts"
)
_KNOWN: list[str] = [option for action in _parser._actions for option in action.option_strings]  # noqa: SLF001 - no public way


def _talk(line: str, names: Mapping[str, Any]) -> Talk:
    """Do what the line says.

    Args:
        line: what stands after `%talk`.
        names: of the notebook; tools are looked up there.

    Raises:
        UnknownOption: an option that is none; the nearest is named.
        BadSetting: a value that cannot be, or a tool that is no function of the notebook.
        MissingKey: a model was named and there is no key.
    """
    from gip_nb import talk

    given = _parsed(line)
    tools = [_tool(name, names) for listed in given.pop("tool") or () for name in listed.split(",")]
    if "transcription" in given:
        word = given["transcription"]
        given["transcription"] = {"on": True, "off": False}.get(word.lower(), word)
    return talk(given.pop("model", None), tools=tools, **given)


def _parsed(line: str) -> dict[str, Any]:
    """The options that were given; `tool` always.

    Raises:
        UnknownOption, BadSetting: it is no such line.
    """
    try:
        # A semicolon at the end of a cell's line means "do not show", there as here.
        words = shlex.split(line.rstrip().removesuffix(";"))
    except ValueError:
        raise BadSetting(
            f"a quote is opened and not closed in {line.strip()!r}",
            'put a text with spaces or apostrophes in double quotes: --instructions "Don\'t shout".',
        ) from None
    for name in (word.partition("=")[0] for word in words if word.startswith("-")):
        if name in _KEY_OPTIONS:
            # Its value is not repeated here: it stands in the cell already, which is bad enough.
            raise BadSetting(
                f"%talk takes no {name}: a key in a cell is saved with the notebook",
                "set GIP_API_KEY in the environment or in a .env beside the notebook; and if the key was "
                "typed here, take it out and have it replaced.",
            )
        # In full: `--instr` for `--instructions` would go through until another option begins like it.
        if name not in _KNOWN:
            raise UnknownOption(name, _nearest(name), _KNOWN)
    problem: UsageError
    try:
        found, rest = _parser.parse_known_args(words)
    except UsageError as error:
        problem = error
    else:
        if rest:
            raise BadSetting(
                f"%talk takes one model, and {' '.join(rest)!r} stands there too",
                f"put a text with spaces in double quotes. {_HELP}",
            )
        values = {name: value for name, value in vars(found).items() if value is not None}
        return {"tool": None, **values}
    raise BadSetting(f"%talk: {problem}", _HELP) from None


def _nearest(name: str) -> str | None:
    # Not at the top: what reads settings is imported with the first talk, not with the extension.
    from gip_nb.session.options import nearest

    begun = [option for option in _KNOWN if option.startswith(f"--{name.lstrip('-')}")]
    if len(begun) == 1:
        return begun[0]
    near = nearest(name.lstrip("-"), [option.lstrip("-").replace("-", "_") for option in _KNOWN])
    return near and "--" + near.replace("_", "-")


def _tool(name: str, names: Mapping[str, Any]) -> Callable[..., Any]:
    from gip_nb.session.options import nearest

    name = name.strip()
    found: object = names.get(name)
    if callable(found):
        return found
    if found is not None:
        raise BadSetting(f"--tool {name!r} is a {type(found).__name__}", "name a function of this notebook.")
    functions = [n for n, value in names.items() if callable(value) and not n.startswith("_")]
    near = nearest(name, functions)
    hint = f"did you mean {near!r}? " if near else ""
    raise BadSetting(
        f"--tool {name!r}: there is no function of this name in this notebook",
        f"{hint}Run the cell that defines it first.",
    )


def register(shell: InteractiveShell) -> None:
    """Give this shell `%talk`."""

    def talk(line: str) -> Talk:
        return _talk(line, shell.user_ns)

    talk.__doc__ = _parser.format_help()
    shell.magics_manager.register_function(talk, "line", "talk")


def unregister(shell: InteractiveShell) -> None:
    """Take `%talk` out of this shell again, if it is still ours."""
    lines = shell.magics_manager.magics["line"]
    if getattr(lines.get("talk"), "__module__", None) == __name__:
        del lines["talk"]
