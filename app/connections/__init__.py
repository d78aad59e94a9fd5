"""Connections: credentials that steps use by name, and that nobody reads."""
