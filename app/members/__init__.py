"""Members of a workspace and their roles, and the invitations by which they come."""
