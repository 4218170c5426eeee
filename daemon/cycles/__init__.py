"""Cycles: sweeps over the sources of a pipeline, by time or because somebody asked."""
