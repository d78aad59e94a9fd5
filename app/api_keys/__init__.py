"""API keys: credentials of programs, which act for a workspace with a role of their own."""
