"""Makes the Grafana dashboards in `json/`; `make docs` does so."""
