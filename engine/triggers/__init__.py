"""The rules of triggers, one file a kind: they hold inside requests and outside of them."""
