"""The session's settings as the page shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from gip_nb.notebook import messages
    from gip_nb.session.session import AsyncRealtimeSession
    from gip_nb.session.settings import Settings

__all__ = ["detection_name", "settings_view"]


def settings_view(session: AsyncRealtimeSession, upcoming: Settings) -> messages.SettingsView:
    """What the server has in force; before it has said, and after the end, what it will be asked for.

    Args:
        session: the newest one.
        upcoming: what the next one begins with.
    """
    told = _told(session, upcoming)
    audio = _part(told, "audio")
    tools = told.get("tools")
    return {
        "instructions": _text(told.get("instructions")),
        "voice": _voice(_part(audio, "output").get("voice")),
        "voice_fixed": _runs(session) and session.protocol.voice_is_fixed,
        "turn_detection": _part(audio, "input").get("turn_detection") or None,
        "transcription": _part(audio, "input").get("transcription") or None,
        "tools": [
            {"name": str(t.get("name", "")), "description": str(t.get("description") or "")}
            for t in (tools if isinstance(tools, list) else [])
            if isinstance(t, dict)
        ],
    }


def detection_name(
    session: AsyncRealtimeSession, upcoming: Settings
) -> Literal["server_vad", "semantic_vad", "none"]:
    """The turn detection in force; as `settings_view`."""
    detection = _part(_part(_told(session, upcoming), "audio"), "input").get("turn_detection")
    if not isinstance(detection, dict):
        return "none"
    return "semantic_vad" if detection.get("type") == "semantic_vad" else "server_vad"


def _told(session: AsyncRealtimeSession, upcoming: Settings) -> dict[str, Any]:
    if not _runs(session):
        return {**session.first_settings(), **upcoming.session}
    return session.protocol.conversation.session or session.first_settings()


def _runs(session: AsyncRealtimeSession) -> bool:
    return session.state not in {"idle", "closed", "error"}


def _voice(value: object) -> str | None:
    """GA's servers may tell one as an object with an id."""
    return _text(value.get("id") if isinstance(value, dict) else value)


def _part(whole: dict[str, Any], name: str) -> dict[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
