"""Where work waits for its turn, whoever asked for it: cycles, people, retries. See `queue`."""
