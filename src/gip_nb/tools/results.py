"""What a tool returned, as text for the model."""

from __future__ import annotations

import json

__all__ = ["MAX_RESULT_CHARS", "result_text"]

MAX_RESULT_CHARS = 16_000


def result_text(result: object, limit: int = MAX_RESULT_CHARS) -> str:
    """A tool's result as text for the model, at most `limit` characters; a cut is said after them."""
    if isinstance(result, str):
        text = result
    else:
        try:
            text = json.dumps(result, ensure_ascii=False)
        except (TypeError, ValueError):
            text = str(result)
    # Half of a surrogate pair (an odd file name) cannot be sent.
    text = text.encode("utf-8", "replace").decode("utf-8")
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n[cut: {len(text)} characters in all]"
