"""Reports for dashboards that read JSON or CSV by URL, such as Grafana's Infinity: flat rows, lists at the root."""
