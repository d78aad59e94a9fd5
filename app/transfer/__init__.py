"""Workflows as files: export, and import of JSON and YAML."""
