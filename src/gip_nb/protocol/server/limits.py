"""What `rate_limits.updated` says: limits that nobody reaches, counted down and never enforced. Pure."""

from __future__ import annotations

from typing import Any

__all__ = ["rate_limits"]

_REQUESTS_PER_MINUTE = 5_000
_TOKENS_PER_MINUTE = 400_000


def rate_limits(requests: int, tokens: int) -> list[dict[str, Any]]:
    """The limits of a session.

    Args:
        requests: responses that it asked for so far.
        tokens: that they read and made.
    """
    limits = (("requests", _REQUESTS_PER_MINUTE, requests), ("tokens", _TOKENS_PER_MINUTE, tokens))
    return [
        {
            "name": name,
            "limit": limit,
            "remaining": max(0, limit - used),
            "reset_seconds": round(60.0 * min(used, limit) / limit, 3),
        }
        for name, limit, used in limits
    ]
