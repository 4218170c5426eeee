"""Makes the Prometheus rules from `thresholds.toml`; the rest of this folder is used as it is."""
