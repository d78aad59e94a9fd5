"""What ends a command of the client: one line, and an exit code."""

from typing import Final

REFUSED: Final = 1
UNUSABLE: Final = 2
INTERRUPTED: Final = 130


class ClientError(Exception):
    """The command cannot go on; `code` is the program's exit code.

    1: the product refuses or the run did not succeed; 2: wrong usage, no product there, or not signed in.
    """

    def __init__(self, message: str, code: int = REFUSED) -> None:
        super().__init__(message)
        self.code = code
