"""Automatic retries of runs that failed as a whole: when, how often, and when not at all."""
