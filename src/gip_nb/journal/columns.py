"""The schema of the tables: column by column its dtype and unit. pandas is not needed to read it.

Times of day are UTC. Columns in `_s` are seconds on the session's own clock since its log began, as
`elapsed_s` is; those in `_ms` are durations. What is not known is NA, never zero; so is a text that is not
there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CALL_COLUMNS",
    "EVENT_COLUMNS",
    "ITEM_COLUMNS",
    "RESPONSE_COLUMNS",
    "TOKEN_COLUMNS",
    "TURN_COLUMNS",
    "USAGE_COLUMNS",
    "frame_of",
]

_STRING = "string"
_TIME = "datetime64[ns, UTC]"

EVENT_COLUMNS = {
    "at": _TIME,
    "elapsed_s": "float64",
    "direction": "category",  # sent, received, local
    "type": "category",  # as on the wire
    "event": "category",  # canonical
    "event_id": _STRING,
    "response_id": _STRING,
    "item_id": _STRING,
    "call_id": _STRING,
    "turn": "Int64",
    "connection": "Int64",  # from 1; audio positions begin anew with each
    "audio_ms": "float64",
    "text": _STRING,  # the words that it carries
    "wire_bytes": "int64",  # 0 for local rows
    "payload": "payload",  # dicts, decoded when they are looked at; audio left out
}
ITEM_COLUMNS = {
    "type": _STRING,
    "role": _STRING,
    "status": _STRING,
    "text": _STRING,
    "heard_text": _STRING,  # an estimate where the answer was cut
    "turn": "Int64",
    "response_id": _STRING,
    "audio_ms": "float64",
    "heard_ms": "float64",  # NA where nobody plays
    "interrupted": "bool",
    "deleted": "bool",
    "name": _STRING,
    "call_id": _STRING,
    "arguments": _STRING,
    "output": _STRING,
    "problem": _STRING,
    "delivered_ms": "float64",  # handed to the page
    "added_s": "float64",  # first told of
    "speech_start_s": "float64",  # when the user said it, as far as the server's positions tell
    "speech_end_s": "float64",
    "first_audio_s": "float64",  # an answer's sound received
    "last_audio_s": "float64",
    "sound_start_s": "float64",  # its first sample left the page's loudspeaker
}
TURN_COLUMNS = {
    "started_at": _TIME,
    "user_text": _STRING,
    "assistant_text": _STRING,
    "heard_text": _STRING,
    "interrupted": "bool",
    "status": _STRING,  # of its last response
    "tools": "Int64",
    "user_audio_ms": "float64",
    "assistant_audio_ms": "float64",
    "heard_audio_ms": "float64",
    "first_event_ms": "float64",  # this and all latencies: from the end of the user's speech
    "first_audio_ms": "float64",
    "first_sound_ms": "float64",
    "requests": "Int64",  # billed
    "input_tokens": "Int64",
    "output_tokens": "Int64",
    "cost_usd": "float64",  # transcription apart
    "speech_end_from": _STRING,
    "speech_end_s": "float64",
    "speech_stopped_ms": "float64",  # the server's word that the speech has ended arrived
    "response_created_ms": "float64",
    "first_text_ms": "float64",
    "first_delivered_ms": "float64",  # handed to the page
    "clock_error_ms": "float64",  # how wrong times that rest on the page's clock may be
    "ended_s": "float64",  # the last event of its responses and tools
    "label": _STRING,
    "tags": "object",  # tuples of str
    "rating": "Int64",  # 1, -1 or NA
    "lost_audio_ms": "float64",  # of the microphone, since the turn before: never arrived
    "late_audio_ms": "float64",  # the same: waited a second or longer, for a busy kernel or a broken line
}
# Of input: what did not come from the cache, and what did, apart. With the unnamed ones they add up to the
# totals.
TOKEN_COLUMNS = {
    "text_tokens": "Int64",
    "cached_text_tokens": "Int64",
    "audio_tokens": "Int64",
    "cached_audio_tokens": "Int64",
    "image_tokens": "Int64",
    "cached_image_tokens": "Int64",
    "output_text_tokens": "Int64",
    "output_audio_tokens": "Int64",
}
RESPONSE_COLUMNS = {
    "turn": "Int64",
    "status": _STRING,
    "reason": _STRING,
    "error": _STRING,
    "beside": "bool",  # no part of the conversation
    "model": _STRING,
    "created_s": "float64",
    "first_text_s": "float64",
    "first_audio_s": "float64",
    "done_s": "float64",
    "duration_ms": "float64",
    "audio_ms": "float64",
    "items": "Int64",
    "input_tokens": "Int64",
    "output_tokens": "Int64",
    **TOKEN_COLUMNS,
    "cost_usd": "float64",
    "cost_is_upper_bound": "bool",
}
CALL_COLUMNS = {
    "turn": "Int64",
    "name": _STRING,
    "arguments": _STRING,  # JSON, as the model wrote it
    "output": _STRING,  # the text that the model got
    "error": _STRING,  # NA where it went well
    "outcome": "category",  # done, failed, timed_out, denied, cancelled; before: asked, waiting, running
    "traceback": _STRING,  # where the function raised
    "started_s": "float64",  # the function began
    "duration_ms": "float64",
    "response_id": _STRING,
    "item_id": _STRING,
}
USAGE_COLUMNS = {
    "at": _TIME,
    "kind": "category",  # response, transcription
    "turn": "Int64",
    "response_id": _STRING,
    "item_id": _STRING,
    "model": _STRING,
    "status": _STRING,
    "requests": "Int64",  # billed: 1, or 0 for a transcription
    "input_tokens": "Int64",
    "output_tokens": "Int64",
    **TOKEN_COLUMNS,
    "unnamed_input_tokens": "Int64",  # of a kind that the server did not say
    "unnamed_output_tokens": "Int64",
    "audio_s": "float64",  # of transcriptions that are billed by duration
    "cost_usd": "float64",
    "cost_is_upper_bound": "bool",
    "note": _STRING,  # why there is no cost, or why it is a bound
}
# Values of columns whose categories are known before there is a row.
_CATEGORIES = {
    "kind": ("response", "transcription"),
    "outcome": ("asked", "waiting", "running", "done", "failed", "timed_out", "denied", "cancelled"),
}


def frame_of(
    rows: list[dict[str, Any]], columns: dict[str, str], index_name: str, index: list[Any] | None = None
) -> pd.DataFrame:
    """A table from its rows.

    Args:
        rows: by column, None for what is not known; times of day in Unix nanoseconds.
        columns: name to dtype.
        index_name: of the index.
        index: the index's values: numbers of turns, or ids; None counts rows from 0.
    """
    import numpy as np
    import pandas as pd

    data: dict[str, Any] = {}
    for column, dtype in columns.items():
        values = [row[column] for row in rows]
        if dtype == _TIME:
            found = np.array(values, dtype="int64")
            data[column] = pd.DatetimeIndex(found.view("datetime64[ns]"), tz="UTC")
        elif dtype == "float64":
            data[column] = np.array([np.nan if v is None else v for v in values], dtype="float64")
        elif dtype == _STRING:
            data[column] = strings(values)
        elif dtype == "category":
            data[column] = pd.Categorical(values, categories=_CATEGORIES[column])
        elif dtype == "object":
            data[column] = pd.Series(values, dtype="object").to_numpy()
        else:
            data[column] = pd.array(values, dtype=dtype)
    if index is None:
        labels: Any = pd.RangeIndex(len(rows), name=index_name)
    else:
        labels = pd.Index(index, name=index_name, dtype="int64" if index_name == "turn" else "object")
    return pd.DataFrame(data, columns=list(columns), index=labels)


def strings(values: Any) -> Any:  # noqa: ANN401 - an array of pandas, imported late
    """A string column; None is NA.

    Held by Python's own strings, also where pyarrow is installed: the log has them already, and what would be
    made of them for Arrow costs more than all the rest of a table.
    """
    import numpy as np
    import pandas as pd

    found: Any = np.empty(len(values), dtype="object")
    found[:] = values
    found[found == None] = pd.NA  # noqa: E711 - element by element
    return pd.arrays.StringArray(found, dtype=pd.StringDtype("python"))
