"""Whatever JSON holds survives the way to YAML and back, for our reader and for others."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from app.transfer.yaml_reader import YamlFault, read_documents
from app.transfer.yaml_writer import write_document

# Texts that some reader of YAML takes for something else, and those that are hard to quote.
TRAPS = ["1e3", "0o17", "010", "0x1f", "1_000", "12:30", "yes", "No", "on", "~", "null", "", "=", "<<", "2026-01-01"]
HARD = [".inf", "1.", "+1", "-", "- a", "a: b", "# a", " a", "a ", "a\n\n b\n", "\n", "\ta", "\u2028", "\U0001f600\nx"]
TEXTS = (
    st.text()
    | st.text(alphabet="\n \t-:#|>'\"{}[]&*!%@`,?~.eE+0123456789xonNOyesYtrufalsn")
    | st.sampled_from(TRAPS + HARD)
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.integers(-(10**400), 10**400)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)
DOCUMENTS = st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4)


@given(DOCUMENTS)
def test_a_document_comes_back_as_it_was(value: dict[str, Any]) -> None:
    (document,) = read_documents(write_document(value))
    # As JSON texts: the order of keys counts, and 1 is not 1.0.
    assert json.dumps(document.value) == json.dumps(value)


@given(DOCUMENTS)
def test_others_read_the_same(value: dict[str, Any]) -> None:
    assert json.dumps(yaml.safe_load(write_document(value))) == json.dumps(value)


@given(st.text() | st.text(alphabet="\n -:#|>'\"{}[]&*!%@,?~ab1") | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_read_or_refused_with_its_place(text: str) -> None:
    try:
        documents = read_documents(text.encode())
    except YamlFault as fault:
        assert fault.message
        assert fault.line >= 1
        assert fault.column >= 1
    else:
        for document in documents:
            json.dumps(document.value, allow_nan=False)


@pytest.mark.parametrize("text", ["no", "on", "12:30", "2026-01-01", "007", "0x10", "1_000", ".5", ".inf", "+1"])
def test_what_json_does_not_know_stays_text(text: str) -> None:
    (document,) = read_documents(f"a: {text}".encode())
    assert document.value == {"a": text}
