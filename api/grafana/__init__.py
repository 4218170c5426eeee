"""The contract of Grafana's JSON data sources (simPod's JSON, SimpleJson), for dashboards that have one."""
