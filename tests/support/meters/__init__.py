"""A kind of pipeline with a table of its own that only tests know.

Nothing of the product knows it: this folder has all of it, and it is one entry in a list of kinds.
"""
