"""The session's settings as the page shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from gip_nb.notebook import messages
    from gip_nb.session.session import AsyncRealtimeSession

__all__ = ["detection_name", "settings_view"]


def settings_view(session: AsyncRealtimeSession) -> messages.SettingsView:
    """What the server has in force; before it has said, what it will be asked for."""
    told = _told(session)
    audio = _part(told, "audio")
    tools = told.get("tools")
    return {
        "instructions": _text(told.get("instructions")),
        "voice": _text(_part(audio, "output").get("voice")),
        "turn_detection": _part(audio, "input").get("turn_detection") or None,
        "transcription": _part(audio, "input").get("transcription") or None,
        "tools": [
            {"name": str(t.get("name", "")), "description": str(t.get("description") or "")}
            for t in (tools if isinstance(tools, list) else [])
            if isinstance(t, dict)
        ],
    }


def detection_name(session: AsyncRealtimeSession) -> Literal["server_vad", "semantic_vad", "none"]:
    """The turn detection in force; before the server has said, the one that will be asked for."""
    detection = _part(_part(_told(session), "audio"), "input").get("turn_detection")
    if not isinstance(detection, dict):
        return "none"
    return "semantic_vad" if detection.get("type") == "semantic_vad" else "server_vad"


def _told(session: AsyncRealtimeSession) -> dict[str, Any]:
    return session.protocol.conversation.session or session.first_settings()


def _part(whole: dict[str, Any], name: str) -> dict[str, Any]:
    part = whole.get(name)
    return part if isinstance(part, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
