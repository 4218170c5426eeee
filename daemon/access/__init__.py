"""Who may use the daemon: keys and their roles, limits, and the trail of what was done."""
