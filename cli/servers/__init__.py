"""The embedded PostgreSQL and Redis of one machine: launchers that drive the servers' own binaries."""
