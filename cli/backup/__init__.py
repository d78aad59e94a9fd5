"""Backup and restore of the product's PostgreSQL."""
