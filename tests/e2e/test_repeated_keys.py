"""A key that stands twice in a workflow file is refused by the command line too, whatever the file is written in."""

from pathlib import Path

import pytest

from tests.e2e.client import Client
from tests.e2e.shell import Shell
from tests.product import Product

STEP = '{"id": "a", "type": "fail", "id": "b"}'
JSON = f'{{"flowforge": 1, "name": "Key twice", "definition": {{"schema": 1, "steps": [{STEP}]}}}}'
YAML = """\
flowforge: 1
name: Key twice
definition:
  schema: 1
  steps:
    - id: a
      type: fail
      id: b
"""


@pytest.mark.parametrize(("name", "text", "place"), [("a.json", JSON, ""), ("a.yaml", YAML, "Line 8, column 7")])
def test_an_import_tells_of_a_key_that_stands_twice_and_where(
    tmp_path: Path, product: Product, client: Client, name: str, text: str, place: str
) -> None:
    shell = Shell(tmp_path, product.url).sign_in()
    (tmp_path / name).write_text(text)
    answer = shell.run("import", name)
    assert answer.returncode != 0
    assert "/definition/steps/0/id: the key 'id' stands here twice" in answer.stderr
    assert place in answer.stderr
    assert client.read("/v1/workflows", q="Key twice")["items"] == []
