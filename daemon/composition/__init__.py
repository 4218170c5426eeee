"""How the parts of the daemon are put together; `daemon/service.py` says in which order."""
