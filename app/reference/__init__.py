"""The pages for people at `/docs/api`."""
