"""What the rehearsal server answers: plain rules that show that everything works, and never play the model.

The rules, in this order:

1. A tool was just called: say what came out. 2. A tool has to be called (`tool_choice`), or its name or
description shares a word with what was said: call it; where two parts of a sentence name a tool each, call
both. 3. The user said nothing for as long as the session waits: ask whether they are there. 4. Nothing was
said yet: greet. A greeting, thanks, a goodbye, "stop": a short answer. 5. "What did you say?": the last
answer once more, as much of it as the user heard. 6. Anything else: repeat what was heard, and say that this
is the rehearsal server.

The same conversation always gets the same answer. Pure.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from gip_nb.protocol.server.parts import Call, Line, Prompt, Say, Wish

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["answer"]

# Longest tool output or quotation that is spoken, in characters: about half a minute of speech.
_SPOKEN_CHARACTERS = 400


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_GREETING = "Hello! I am the rehearsal server. Say something, or type it, and I will repeat what I heard."
_GREETINGS = _words("hello hi hey greetings")
_PARTS_OF_THE_DAY = re.compile(r"\bgood (morning|afternoon|evening|day)\b")
_STILL_THERE = "Are you still there? I am the rehearsal server, and I am listening."
_STOPS = _words("stop quiet enough halt silence shush")
_STOP_PHRASES = re.compile(r"\b(never mind|shut up|be quiet|hold on)\b")
# An order to stop is short; a longer sentence with the word in it ("where is the bus stop") is something
# else.
_ORDER_WORDS = 4
_THANKS = _words("thanks thank")
_GOODBYES = _words("bye goodbye")
_AGAIN = re.compile(r"\b(what did you say|say (it|that) again|repeat (it|that|yourself))\b")
_QUESTION_WORDS = _words(
    "what who whom whose which when where why how is are am was were do does did can could will would shall"
    " should may might has have had"
)

# Each takes well over three seconds to say, so that there is time to talk over it.
_ABOUT_A_QUESTION = (
    "You asked: {words}. I am the rehearsal server, not a model, so I can only repeat it.",
    "I heard you ask: {words}. A real model would answer that. This is the rehearsal server.",
    "Your question was: {words}. I heard it well, but I am the rehearsal server, not a model.",
)
_ABOUT_A_STATEMENT = (
    "I heard: {words}. This is the rehearsal server, not a model, so I only repeat it.",
    "You said: {words}. A real model would take it from here. This is the rehearsal server.",
    "I understood: {words}. I am the rehearsal server, and all I can do is repeat it.",
)

# Words that are in every description and in every sentence: that they occur in both says nothing.
_EMPTY_WORDS = _words(
    "a about after all also am an and any are argument arguments as ask asks at back be been being"
    " both but by call called can could current did do does each else ever for from function get gets"
    " give given gives had has have he hear hello her here him his how i if in into is it its just let"
    " make may me might more most much must my name need no not now number of on one only or other our"
    " out over own parameter parameters please put result results return returns run say set she"
    " should show so some string tell text than that the their them then there these they this those"
    " to today too tool under up us use user users value very want was we were what when where which"
    " while who whom whose why will with word words would you your yours"
)
_NAME_WEIGHT = 3  # a word of a tool's name says more about it than one of its description
_PREPOSITIONS = frozenset(("of", "in", "for"))
_ARTICLES = _words("a an the my your our his her their this that these those")
_NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen twenty"
)
_NUMBER_OF_WORD = {word: number for number, word in enumerate(_NUMBERS.split())}
_LARGEST_NUMBER = 1e15
_WORD = re.compile(r"[^\W_]+(?:['\u2019.-][^\W_]+)*")
_PARTS_OF_A_SENTENCE = re.compile(r"[,;.]\s|\b(?:and|then)\b", re.IGNORECASE)
_NAME_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def answer(prompt: Prompt) -> list[Wish]:
    """What to say or which tool to call, given the conversation so far. Never empty.

    Args:
        prompt: the conversation, the tools on offer and whether one has to be called.
    """
    outputs = _fresh_outputs(prompt.lines)
    if outputs:
        return [Say(_spoken_outputs(outputs))]
    if prompt.lines and prompt.lines[-1].role == "silence":
        forced = prompt.tool_choice not in ("auto", "none") and _tool_call("", prompt)
        return [forced or Say(_STILL_THERE)]
    asked = _last(prompt.lines, "user")
    words = asked.text if asked else ""
    calls = _several_calls(words, prompt)
    if calls:
        return calls
    call = _tool_call(words, prompt)
    if call is not None:
        return [call]
    if asked is None:
        return [Say(_GREETING)]
    return [Say(_reply(asked, prompt.lines))]


# ---------------------------------------------------------------------------------------------------- answers


def _last(lines: Sequence[Line], role: str) -> Line | None:
    return next((line for line in reversed(lines) if line.role == role), None)


def _fresh_outputs(lines: Sequence[Line]) -> list[Line]:
    """Outputs of tools that nobody has spoken about yet, oldest first."""
    outputs: list[Line] = []
    for line in reversed(lines):
        if line.role == "output":
            outputs.append(line)
        elif line.role in ("user", "assistant"):
            break
    return outputs[::-1]


def _spoken_outputs(outputs: Iterable[Line]) -> str:
    return " ".join(
        f"The tool {_spaced(line.name)} says: {_sentence(_as_words(line.text))}"
        if line.name
        else f"The tool says: {_sentence(_as_words(line.text))}"
        for line in outputs
    )


def _as_words(output: str) -> str:
    """A tool's output in a form that can be spoken: JSON without its brackets and quotes."""
    try:
        return _value_as_words(json.loads(output))
    except (ValueError, RecursionError):
        return output


def _value_as_words(value: object) -> str:
    match value:
        case dict():
            return ", ".join(f"{_spaced(str(key))} {_value_as_words(inner)}" for key, inner in value.items())
        case list():
            return ", ".join(_value_as_words(inner) for inner in value)
        case None:
            return "nothing"
        case True:
            return "yes"
        case False:
            return "no"
        case _:
            return str(value)


def _sentence(words: str) -> str:
    """At most so many characters of it, in one line, with a full stop."""
    line = " ".join(words.split())
    if len(line) > _SPOKEN_CHARACTERS:
        line = line[:_SPOKEN_CHARACTERS].rsplit(" ", 1)[0] + " and so on"
    if not line:
        return "nothing."
    return line if line[-1] in ".!?" else line + "."


def _spaced(name: str) -> str:
    """A tool's name as it is spoken: get_weather is "get weather"."""
    return " ".join(_NAME_PART.findall(name)).lower() or name


def _reply(asked: Line, lines: Sequence[Line]) -> str:
    if asked.speech_ms:
        return (
            f"You spoke for {asked.speech_ms / 1000:.1f} seconds. I cannot make out words here: no speech"
            " recogniser is installed. I am the rehearsal server, and all else works."
        )
    words = [word.lower() for word in _WORD.findall(asked.text)]
    return _small_talk(words, lines) or _repetition(asked.text, words, lines)


def _small_talk(words: Sequence[str], lines: Sequence[Line]) -> str | None:
    """The answer to what needs no repeating; None to all else."""
    said, text = set(words), " ".join(words)
    is_order = len(words) <= _ORDER_WORDS
    before = _last(lines, "assistant")
    again = f"I said: {_sentence(before.text)}" if before and before.text else "I have not said anything yet."
    answers = (
        (not words, "I heard a sound, but no words in it. Please try again."),
        (is_order and bool(said & _STOPS or _STOP_PHRASES.search(text)), "All right, I am quiet."),
        (
            bool(said & _GREETINGS or _PARTS_OF_THE_DAY.search(text)),
            "Hello! Yes, I can hear you. I am the rehearsal server, not a model. Ask me something.",
        ),
        (bool(_AGAIN.search(text)), again),
        (bool(said & _THANKS), "You are welcome."),
        (bool(said & _GOODBYES), "Goodbye!"),
    )
    return next((words_back for applies, words_back in answers if applies), None)


def _repetition(text: str, words: Sequence[str], lines: Sequence[Line]) -> str:
    is_question = words[0] in _QUESTION_WORDS or text.rstrip().endswith("?")
    patterns = _ABOUT_A_QUESTION if is_question else _ABOUT_A_STATEMENT
    turn = sum(line.role == "user" for line in lines) - 1
    return patterns[turn % len(patterns)].format(words=_sentence(text).rstrip(".!?"))


# ------------------------------------------------------------------------------------------------------ tools


def _tool_call(words: str, prompt: Prompt) -> Call | None:
    tools = [tool for tool in prompt.tools if isinstance(tool.get("name"), str)]
    choice = prompt.tool_choice
    if not tools or choice == "none":
        return None
    if isinstance(choice, dict):
        forced = next((tool for tool in tools if tool["name"] == choice.get("name")), None)
        return None if forced is None else _call(forced, words)
    said = _stems(_WORD.findall(words.lower()))
    best = max(tools, key=lambda tool: _match(tool, said))
    if choice != "required" and not _match(best, said):
        return None
    return _call(best, words)


def _several_calls(words: str, prompt: Prompt) -> list[Wish]:
    """A call for each part of a sentence that names a tool of its own; none where it names one at most."""
    if prompt.tool_choice not in ("auto", "required") or not prompt.parallel_tool_calls:
        return []
    tools = [tool for tool in prompt.tools if isinstance(tool.get("name"), str)]
    calls: dict[str, Wish] = {}
    for part in _PARTS_OF_A_SENTENCE.split(words):
        said = _stems(_WORD.findall(part.lower()))
        best = max(tools, key=lambda tool: _match(tool, said), default=None)
        if best is not None and _match(best, said) >= _NAME_WEIGHT:
            calls.setdefault(best["name"], _call(best, part.strip()))
    return list(calls.values()) if len(calls) > 1 else []


def _match(tool: Mapping[str, Any], said: set[str]) -> int:
    """How much a tool has to do with what was said; 0 is nothing."""
    name = _stems(part.lower() for part in _NAME_PART.findall(tool["name"]))
    about = _stems(_WORD.findall(str(tool.get("description") or "").lower()))
    return _NAME_WEIGHT * len(name & said) + len((about - name) & said)


def _stems(words: Iterable[str]) -> set[str]:
    """The telling ones of these words, each without its ending, so that "rows" is also "row"."""
    return {_stem(word) for word in words if word not in _EMPTY_WORDS and len(word) > 1}


def _stem(word: str) -> str:
    for ending in ("ing", "ies", "es", "ed", "er", "s", "e", "y"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= 3:  # noqa: PLR2004 - shorter stems are the same for unlike words
            return stem
    return word


def _call(tool: Mapping[str, Any], words: str) -> Call:
    schema = tool.get("parameters")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    required = schema.get("required") if isinstance(schema, dict) else None
    arguments = {
        name: _argument(
            properties[name]
            if isinstance(properties, dict) and isinstance(properties.get(name), dict)
            else {},
            words,
        )
        for name in (required if isinstance(required, list) else ())
        if isinstance(name, str)
    }
    return Call(tool["name"], json.dumps(arguments, ensure_ascii=False))


def _argument(schema: Mapping[str, Any], words: str) -> object:
    """A value that fits a parameter's schema, out of the words where they have one."""
    allowed = schema.get("enum")
    spoken = _WORD.findall(words)
    named = _word_after_preposition(spoken)
    if isinstance(allowed, list) and allowed:
        lowered = {word.lower() for word in spoken}
        return next((value for value in allowed if str(value).lower() in lowered), allowed[0])
    kind = schema.get("type", "string")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "string")
    match kind:
        case "integer" | "number":
            return _number(spoken, schema, whole=kind == "integer")
        case "boolean":
            return True
        case "array":
            inner = schema.get("items")
            return [_argument(inner if isinstance(inner, dict) else {}, words)]
        case "object":
            return _object(schema, words)
        case _:
            return named or words


def _object(schema: Mapping[str, Any], words: str) -> dict[str, object]:
    properties = schema.get("properties")
    required = schema.get("required")
    if not isinstance(properties, dict) or not isinstance(required, list):
        return {}
    return {
        name: _argument(properties[name], words)
        for name in required
        if isinstance(name, str) and isinstance(properties.get(name), dict)
    }


def _word_after_preposition(spoken: Sequence[str]) -> str | None:
    """What "the weather *in Seoul*" and "rows *of the* sales table" are about."""
    for at, word in enumerate(spoken):
        if word.lower() in _PREPOSITIONS:
            rest = (later for later in spoken[at + 1 :] if later.lower() not in _ARTICLES)
            return next(rest, None)
    return None


def _number(spoken: Sequence[str], schema: Mapping[str, Any], *, whole: bool) -> int | float:
    for word in spoken:
        number: float | None = _NUMBER_OF_WORD.get(word.lower())
        if number is None:
            try:
                number = float(word)
            except ValueError:
                continue
            if not abs(number) < _LARGEST_NUMBER:  # "nan" and "infinity" are words, too
                continue
        return int(number) if whole else number
    minimum = schema.get("minimum")
    return minimum if isinstance(minimum, int | float) and not isinstance(minimum, bool) else 0
