"""Workspaces: what a user belongs to, and how another one is made."""
