"""What people can do, for API and command line alike: every decision becomes an event, which the recorder stores."""
