"""The audit log: who did what from where, added in the very transaction that did it, and never changed."""
