"""What goes into the audit trail: attempts to change something, and what was done to keys."""
