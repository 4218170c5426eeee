"""The REST API over the daemon: reads the store and the present, hands commands to the operations."""
