"""The OpenAPI document as one page of plain HTML: no script, and nothing that comes from elsewhere."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

STYLE_PATH: Final = "/docs/api.css"
METHODS: Final = ("get", "post", "put", "patch", "delete")
STYLE: Final = """\
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; display: grid; grid-template-columns: 16rem minmax(0, 1fr); }
nav { padding: 1.5rem 1rem; border-right: 1px solid var(--line); position: sticky; top: 0; height: 100vh;
      overflow: auto; box-sizing: border-box; }
nav ul { list-style: none; padding: 0; margin: 0 0 1rem; } nav a { text-decoration: none; }
main { padding: 1.5rem 2rem 6rem; max-width: 60rem; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); }
section.call { margin: 2rem 0; } section.call h3 { margin: 0; font-weight: 500; }
code, .method { font-family: ui-monospace, monospace; font-size: 0.92em; }
.method { display: inline-block; min-width: 4.5em; font-weight: 700; }
table { border-collapse: collapse; width: 100%; margin: 0.5rem 0 1rem; }
th, td { text-align: left; vertical-align: top; padding: 0.3rem 0.6rem; border-bottom: 1px solid var(--line); }
th { font-weight: 600; background: var(--soft); } td:first-child { white-space: nowrap; }
.wide { overflow-x: auto; }
@media (max-width: 50rem) {
  body { display: block; } nav { position: static; height: auto; border: 0; border-bottom: 1px solid var(--line); }
}
"""

Document = Mapping[str, Any]


def render_page(document: Document) -> bytes:
    """The page of an OpenAPI 3.1 document, as UTF-8."""
    calls = _group_calls(document)
    title = escape(f"{document['info']['title']} {document['info']['version']}")
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<title>{title}: API</title><link rel="stylesheet" href="{STYLE_PATH}"></head><body>',
        '<nav aria-label="Calls"><p><a href="/">Web app</a></p>',
        *_render_contents(calls),
        '<p><a href="#schemas">Schemas</a></p></nav><main>',
        f"<h1>{title}</h1>{_paragraphs(document['info'].get('description', ''))}",
        '<p>For programs: <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1).</p>',
    ]
    for tag, operations in calls.items():
        parts.append(f'<h2 id="tag-{escape(tag)}">{escape(tag.capitalize())}</h2>')
        for path, method, operation in operations:
            parts.extend(_render_call(path, method, operation))
    parts.append('<h2 id="schemas">Schemas</h2>')
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts.extend(_render_schema(name, schema))
    parts.append("</main></body></html>\n")
    return "".join(parts).encode()


def _group_calls(document: Document) -> dict[str, list[tuple[str, str, Document]]]:
    groups: dict[str, list[tuple[str, str, Document]]] = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                operation = item[method]
                groups.setdefault(operation.get("tags", ["other"])[0], []).append((path, method, operation))
    return dict(sorted(groups.items()))


def _render_contents(calls: Mapping[str, list[tuple[str, str, Document]]]) -> Iterator[str]:
    for tag, operations in calls.items():
        yield f'<p><a href="#tag-{escape(tag)}"><strong>{escape(tag.capitalize())}</strong></a></p><ul>'
        for _, _, operation in operations:
            yield f'<li><a href="#{escape(operation["operationId"])}">{escape(operation["summary"])}</a></li>'
        yield "</ul>"


def _render_call(path: str, method: str, operation: Document) -> Iterator[str]:
    yield f'<section class="call" id="{escape(operation["operationId"])}"><h3>{escape(operation["summary"])}</h3>'
    yield f'<p><span class="method">{method.upper()}</span> <code>{escape(path)}</code></p>'
    yield _paragraphs(operation.get("description", ""))
    if parameters := operation.get("parameters"):
        rows = [
            (each["name"], each["in"], _name_type(each.get("schema", {})), _describe(each), each.get("required", False))
            for each in parameters
        ]
        yield _table(
            ("Parameter", "In", "Type", "Meaning"),
            [
                (f"<code>{escape(n)}</code>{' *' if needed else ''}", where, kind, about)
                for n, where, kind, about, needed in rows
            ],
        )
    if body := operation.get("requestBody"):
        kinds = [f"<code>{escape(kind)}</code> {_name_type(each.get('schema', {}))}" for kind, each in _contents(body)]
        yield f"<p>Body: {', '.join(kinds)}</p>"
    answers = [
        (
            f"<code>{escape(status)}</code>",
            ", ".join(_name_type(each.get("schema", {})) for _, each in _contents(answer)),
            _describe(answer),
        )
        for status, answer in operation["responses"].items()
    ]
    yield _table(("Answer", "Type", "Meaning"), answers)
    yield "</section>"


def _render_schema(name: str, schema: Document) -> Iterator[str]:
    yield f'<section class="call" id="schema-{escape(name)}"><h3><code>{escape(name)}</code></h3>'
    yield _paragraphs(schema.get("description", ""))
    if properties := schema.get("properties"):
        required = set(schema.get("required", ()))
        rows = [
            (f"<code>{escape(field)}</code>{' *' if field in required else ''}", _name_type(each), _describe(each))
            for field, each in properties.items()
        ]
        yield _table(("Field", "Type", "Meaning"), rows)
    else:
        yield f"<p>{_name_type(schema)}</p>"
    yield "</section>"


def _contents(holder: Document) -> list[tuple[str, Document]]:
    return list(holder.get("content", {}).items())


def _name_type(schema: Document) -> str:
    """A schema in a few words, with links to those that have names."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{escape(name)}">{escape(name)}</a>'
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(_name_type(each) for each in schema[several])
    if "const" in schema:
        return f"<code>{escape(repr(schema['const']))}</code>"
    if "enum" in schema:
        return " or ".join(f"<code>{escape(str(each))}</code>" for each in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_name_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {_name_type(schema['additionalProperties'])}"
    kinds = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return escape(f"{kinds} ({schema['format']})" if "format" in schema else kinds)


def _describe(thing: Document) -> str:
    text = str(thing.get("description", "") or thing.get("schema", {}).get("description", ""))
    if "default" in (schema := thing.get("schema", thing)) and schema["default"] not in (None, {}, []):
        text = f"{text} Default: {schema['default']}".strip()
    return escape(text)


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n") if part.strip())


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
