"""The step types that definitions may use, described for whoever edits them."""
