"""Makes the Kubernetes manifests in `kubernetes/`; `make docs` does so."""
