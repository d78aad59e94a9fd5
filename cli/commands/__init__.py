"""One module a command; each has a `command`. `cli.main` finds them by file name."""
