"""The browser of the tests: how it is found and started, and what its microphone hears."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import wave
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Playwright

HERE = Path(__file__).parent
SAMPLE_RATE_HZ = 24_000
AUTOPLAY = "--autoplay-policy=no-user-gesture-required"
CHROMIUM_FLAGS = (
    "--use-fake-device-for-media-stream",
    AUTOPLAY,
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def microphone_wav(question: Path, target: Path, *, lead_in_s: float = 0.5, silence_s: float = 60) -> Path:
    """Write what the fake microphone plays: a short silence, the question, a long silence.

    Args:
        question: a WAV, int16, mono, 24 000 Hz.
        target: the WAV to write.
        lead_in_s: silence before the first word, so that nothing of it is lost to the start of the capture.
        silence_s: silence after it, which turn detection needs to see the end of the speech.

    Returns:
        `target`.
    """
    with wave.open(str(question), "rb") as source:
        assert (source.getnchannels(), source.getsampwidth(), source.getframerate()) == (1, 2, SAMPLE_RATE_HZ)
        speech = source.readframes(source.getnframes())
    with wave.open(str(target), "wb") as sink:
        sink.setnchannels(1)
        sink.setsampwidth(2)
        sink.setframerate(SAMPLE_RATE_HZ)
        sink.writeframes(bytes(2 * round(lead_in_s * SAMPLE_RATE_HZ)))
        sink.writeframes(speech)
        sink.writeframes(bytes(2 * round(silence_s * SAMPLE_RATE_HZ)))
    return target


def find_browser() -> str:
    """The Chromium or Chrome that `make setup` finds too.

    Raises:
        RuntimeError: there is none; the message says what to do.
    """
    script = HERE.parent.parent / ".ci" / "machine.py"
    found = subprocess.run(
        [sys.executable, script, "browser", "--find"], capture_output=True, text=True, check=False
    )
    if found.returncode:
        raise RuntimeError(found.stderr.strip())
    return found.stdout.strip()


def launch_chromium(
    playwright: Playwright, executable: str, microphone: Path | None, *, without: tuple[str, ...] = ()
) -> Browser:
    """A headless Chromium whose microphone plays a file once.

    Args:
        playwright: the running Playwright.
        executable: the browser.
        microphone: WAV that each opened microphone plays from its start, then silence; None: Chromium's own
            fake device, which beeps once a second.
        without: flags of `CHROMIUM_FLAGS` to leave out, for tests of what a flag hides.
    """
    return playwright.chromium.launch(
        executable_path=executable, headless=True, args=_flags(microphone, without)
    )


@contextmanager
def chromium_with_tabs(
    playwright: Playwright, executable: str, microphone: Path | None, timeout_s: float = 30
) -> Iterator[Browser]:
    """A Chromium whose pages are tabs of one window: those behind the front one are hidden, and slow.

    Playwright's own pages never are: each has a window of its own and is told that it has the focus, and
    Chromium's slowing of hidden pages is switched off. Here the browser is started as people start theirs
    and Playwright only joins it.

    Yields:
        The browser; its one context, `contexts[0]`, is the one with tabs.

    Raises:
        RuntimeError: it did not start.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            executable,
            "--headless",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "--window-size=1280,900",
            "--mute-audio",
            *_flags(microphone),
            "about:blank",
        ]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            told = Path(profile) / "DevToolsActivePort"
            deadline = time.monotonic() + timeout_s
            while not (told.exists() and told.read_text("utf-8").count("\n")):
                if process.poll() is not None or time.monotonic() > deadline:
                    message = f"{executable} did not start within {timeout_s} s ({process.poll()})"
                    raise RuntimeError(message)
                time.sleep(0.05)
            port = told.read_text("utf-8").split()[0]
            browser = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}", no_defaults=True)
            yield browser
            browser.close()
        finally:
            process.terminate()
            process.wait(15)


def _flags(microphone: Path | None, without: tuple[str, ...] = ()) -> list[str]:
    flags = [flag for flag in CHROMIUM_FLAGS if flag not in without]
    if microphone is not None:
        flags.append(f"--use-file-for-fake-audio-capture={microphone}%noloop")
    return flags
