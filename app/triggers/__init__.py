"""Triggers over HTTP: their configuration, and the ingest of webhooks. Their rules live in `engine.triggers`."""
