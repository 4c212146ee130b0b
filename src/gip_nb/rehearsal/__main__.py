"""`python -m gip_nb.rehearsal`: the rehearsal server of one kernel, gone when the kernel is.

Listens on a random port of the loopback interface with a random key, and ends when its standard input closes:
a pipe closes however the process at its other end ended. SIGINT is not for it: Jupyter sends that to a
kernel's whole process group to interrupt a cell.
"""

from __future__ import annotations

import signal
import sys


def main(argv: list[str]) -> int:
    """Serves until stdin closes or SIGTERM comes; see `gip_nb.rehearsal.server.run` for the exit code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The ears import this module in their process, too, and need nothing of it: so all imports are in here.
    import argparse
    import asyncio
    import contextlib
    import os
    import threading

    from gip_nb.rehearsal.ears import find_ears
    from gip_nb.rehearsal.server import LOOPBACK, Options, add_log_argument, new_key, run, stop_on_signals

    program = "python -m gip_nb.rehearsal"
    parser = argparse.ArgumentParser(prog=program, description="The rehearsal server of one kernel.")
    add_log_argument(parser)
    given = parser.parse_args(argv)

    def prepare(stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()

        def wait_for_end_of_input() -> None:
            while os.read(sys.stdin.fileno(), 4096):
                pass
            with contextlib.suppress(RuntimeError):  # the loop has ended for another reason
                loop.call_soon_threadsafe(stop.set)

        stop_on_signals(stop, [signal.SIGTERM])
        threading.Thread(target=wait_for_end_of_input, daemon=True).start()

    return run(Options(LOOPBACK, 0, new_key(), given.log), prepare, find_ears(), program)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
