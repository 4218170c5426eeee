"""`python -m daemon` is the `triaged` command, but where a `daemon.py` of somebody else lies: Python takes that one."""

from __future__ import annotations

import sys

from daemon.cli import main

if __name__ == "__main__":
    sys.exit(main())
