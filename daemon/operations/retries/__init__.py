"""Retries by hand: asked for once, worked off in the background, source by source and in chunks.

What an operation has to do is in the store, and so is every result. What came of an item is read from
the failures: resolved since, or failed again in a run that began since. So nothing has to be known
of the moment in which a daemon died: what has come of an item is seen at the next start, and only
items of which nothing has come are run.
"""
