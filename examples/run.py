"""Starts the example: its mail server in the background, then triaged in this process.

Arguments are the mail server's, such as `--port 10144`; the configuration has to name the same port.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    """Does not return. The mail server ends when this process does, however it ends."""
    open_while_we_live, kept = os.pipe()
    ready, tells = os.pipe()
    subprocess.Popen(
        [
            sys.executable,
            "-W",
            "ignore",
            str(HERE / "mail_server.py"),
            "--while-open",
            "--tell-ready",
            str(tells),
            *sys.argv[1:],
        ],
        stdin=open_while_we_live,
        pass_fds=[tells],
        start_new_session=True,  # Ctrl-C is for triaged
    )
    os.close(open_while_we_live)
    os.close(tells)
    os.read(
        ready, 1
    )  # until it listens, or has said why it cannot: the first cycle finds its accounts
    os.set_inheritable(kept, True)
    os.chdir(HERE.parent)
    serve = ["-m", "daemon", "serve", "--config", "examples/triaged.toml"]
    os.execv(sys.executable, [sys.executable, *serve])


if __name__ == "__main__":
    main()
