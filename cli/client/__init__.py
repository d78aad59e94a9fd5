"""The command-line client of the REST API: what it knows of the product is what any client may know."""
