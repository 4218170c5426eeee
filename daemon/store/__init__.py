"""The store: DuckDB, written by one thread, read by everyone."""
