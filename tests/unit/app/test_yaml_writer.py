"""What takes a reader of patterns long in bad ones: each of these texts would keep the process busy for minutes."""

import pytest

from app.transfer.yaml_reader import read_documents
from app.transfer.yaml_writer import write_document

LONG = 200_000


@pytest.mark.parametrize(
    "text",
    [
        "a" * LONG + "\n\tb",
        "a\n" * LONG + "\x85",
        "\n" * LONG + "a\n\t",
        "1" * LONG,
        "1" * LONG + ".",
        "1" * LONG + "x",
        "1" * LONG + "." + "1" * LONG + "x",
        "-." + "1" * LONG + "x",
        "." + "1" * LONG,
        "-" * LONG + "\n" + " " * LONG + "b",
    ],
    ids=[
        "line",
        "lines",
        "breaks",
        "digits",
        "digits_and_point",
        "no_number",
        "no_decimal",
        "no_fraction",
        "fraction",
        "dashes_and_blanks",
    ],
)
def test_no_text_takes_long_to_write(text: str) -> None:
    (document,) = read_documents(write_document({"text": text, text: 1}))
    assert document.value == {"text": text, text: 1}
