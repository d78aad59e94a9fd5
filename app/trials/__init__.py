"""Trying things out: expressions, drafts, and single steps of drafts."""
