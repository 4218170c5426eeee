"""Mail accounts: those of the configuration, and those that people keep by API."""
