"""Makes what is in `kubernetes` and some of `compose`; `make docs` does so."""
