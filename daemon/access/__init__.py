"""Who may use the daemon: keys and their roles, and limits."""
