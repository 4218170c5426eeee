"""The triaged daemon: scheduler, runs, triage, recording and recovery."""

__version__ = "0.1.0"
