"""Finds queries of what a workspace owns that name no workspace: by the syntax of SQLAlchemy's, by the text of SQL."""

import ast
import importlib
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from tests.architecture.sources import ROOT, functions, python_files, tree

_CREATED = re.compile(r"CREATE TABLE (\w+) \((.*?)\n\s*\)", re.DOTALL)
_READ = re.compile(r"\b(?:FROM|JOIN|UPDATE|USING)\s+(?:ONLY\s+)?(\w+)", re.IGNORECASE)
_ADDED = re.compile(r"\bINSERT INTO (\w+)(?: AS \w+)?\s*\(([^)]*)\)")
_STATEMENT = re.compile(r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH)\s", re.ASCII)
# A workspace that the caller gives, alone or as the first of what is compared together.
_ANCHOR = re.compile(r"workspace_id\s*(?:=|<>\s*ALL)\s*(?:ANY\s*\()?(?:\$\d|:\w)", re.ASCII)
# What belongs to a row of an owned table, and the columns by which it is asked for.
CHILDREN = {
    "journal": ("run_id",),
    "payload": ("run_id",),
    "inbox": ("run_id",),
    "schedule": ("trigger_id",),
    "filtered_payload": ("trigger_id", "event_id"),
    "held_event": ("trigger_id", "event_id"),
    "held_review": ("trigger_id",),
    "held_remainder": ("trigger_id",),
    "dedup_key": ("scope",),
}
_QUERIES = {"select", "update", "delete", "exists"}
_INSERTS = {"insert", "upsert"}


@cache
def owned_tables() -> frozenset[str]:
    """The tables whose rows name their workspace, as the migrations make them."""
    sources = "\n".join(path.read_text() for path in sorted((ROOT / "alembic" / "versions").glob("[0-9]*.py")))
    return frozenset(name for name, body in _CREATED.findall(sources) if re.search(r"\bworkspace_id uuid\b", body))


@cache
def tables_of(module: str) -> Mapping[str, str]:
    """The names of a `tables` module, and the tables that they stand for."""
    found = {}
    for node in tree(ROOT / (module.replace(".", "/") + ".py")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _name(node.value.func) == "Table":
            first = node.value.args[0]
            if isinstance(node.targets[0], ast.Name) and isinstance(first, ast.Constant):
                found[node.targets[0].id] = str(first.value)
    return found


def find_unscoped(path: Path) -> list[str]:
    """The functions of a file that ask for owned rows without a workspace, as `file:function`."""
    return [f"{path.relative_to(ROOT)}:{name}" for name in find_unscoped_functions(tree(path), _texts(path))]


def find_unscoped_functions(module: ast.Module, texts: Mapping[str, str]) -> list[str]:
    """The names of functions with a query that is not scoped; `texts` are the values of the module's constants."""
    reader = _Reader(module)
    faulty = []
    for function in (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
        statements = {texts[node.id] for node in ast.walk(function) if isinstance(node, ast.Name) and node.id in texts}
        statements |= {text for text in _inline(function) if _STATEMENT.match(text)}
        if reader.has_fault(function) or any(not is_scoped(text) for text in statements):
            faulty.append(function.name)
    return faulty


def is_scoped(statement: str) -> bool:
    """Whether a statement names the workspace of the owned rows that it reads and adds, and the parents of others."""
    read = set(_READ.findall(statement))
    if read & owned_tables() and not _ANCHOR.search(statement):
        return False
    for child in read & CHILDREN.keys() if not read & owned_tables() else ():
        keys = "|".join(CHILDREN[child])
        if not re.search(rf"\b(?:{keys})\s*=\s*(?:ANY\s*\()?(?:\$\d|:\w)", statement):
            return False
    return all("workspace_id" in columns for table, columns in _ADDED.findall(statement) if table in owned_tables())


def used_by_app(folder: str) -> set[str]:
    """The functions of a package that the API imports, as `file:function`."""
    package = folder.replace("/", ".")
    found = set()
    for path in python_files("app"):
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(package):
                continue
            if node.module == package:
                # A module as a whole: all that it has.
                files = [ROOT / folder / f"{alias.name}.py" for alias in node.names]
                found |= {f"{file.relative_to(ROOT)}:{one.name}" for file in files for one in functions(file)}
            else:
                file = f"{(node.module or '').replace('.', '/')}.py"
                found |= {f"{file}:{alias.name}" for alias in node.names}
    return found


def _texts(path: Path) -> dict[str, str]:
    """The SQL among the constants of a module, put together as the module does it."""
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    texts = {name: getattr(value, "text", value) for name, value in vars(module).items()}
    return {name: text for name, text in texts.items() if isinstance(text, str) and _STATEMENT.match(text)}


def _inline(function: ast.AST) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


class _Reader:
    """Reads a module's queries in SQLAlchemy's words."""

    def __init__(self, module: ast.Module) -> None:
        self._tables: dict[str, str] = {}
        self._known: dict[str, ast.AST] = {}
        self._aliases: set[str] = set()
        for node in module.body:
            if isinstance(node, ast.ImportFrom) and (node.module or "").endswith(".tables"):
                tables = tables_of(node.module or "")
                self._tables |= {a.asname or a.name: tables[a.name] for a in node.names if a.name in tables}
            elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                self._known |= {target.id: node.value for target in targets if isinstance(target, ast.Name)}
            elif isinstance(node, ast.FunctionDef):
                # What helps to put conditions together.
                self._known[node.name] = node
        for part in ast.walk(module):
            # `column = table.c`
            if isinstance(part, ast.Assign) and self._is_columns(part.value):
                self._aliases |= {target.id for target in part.targets if isinstance(target, ast.Name)}

    def has_fault(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        """Whether a query in it asks for owned rows of whatever workspace."""
        local = {
            target.id: node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        return any(self._is_faulty(sentence, {**self._known, **local}) for sentence in _sentences(function))

    def _is_faulty(self, sentence: ast.stmt, known: Mapping[str, ast.AST]) -> bool:
        nodes = list(_expand(sentence, known))
        kinds = {_name(node.func) for node in nodes if isinstance(node, ast.Call)}
        named = {self._tables[node.id] for node in nodes if isinstance(node, ast.Name) and node.id in self._tables}
        if not named & owned_tables():
            return False
        if kinds & _QUERIES:
            return not any(self._is_anchor(node) for node in nodes if isinstance(node, ast.Compare))
        if kinds & _INSERTS:
            given = {word.arg for node in nodes if isinstance(node, ast.Call) for word in node.keywords}
            # A column that must be given is in what is passed on whole.
            return not given & {"workspace_id", None}
        return False

    def _is_columns(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Attribute) and node.attr == "c" and _name(node.value) in self._tables

    def _is_anchor(self, node: ast.Compare) -> bool:
        """Whether a column of workspaces is compared with what is no column."""
        columns = [side for side in (node.left, *node.comparators) if self._is_column(side)]
        is_same = all(isinstance(operator, ast.Eq) for operator in node.ops)
        return is_same and len(columns) == 1 and self._is_of_workspace(columns[0])

    def _is_of_workspace(self, column: ast.AST) -> bool:
        is_own_id = ast.unparse(column).endswith(".c.id") and self._table_of(column) == "workspace"
        return is_own_id or (isinstance(column, ast.Attribute) and column.attr == "workspace_id")

    def _table_of(self, column: ast.AST) -> str:
        return next((self._tables.get(node.id, "") for node in ast.walk(column) if isinstance(node, ast.Name)), "")

    def _is_column(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Attribute) and (self._is_columns(node.value) or _name(node.value) in self._aliases)


def _expand(node: ast.AST, known: Mapping[str, ast.AST], seen: frozenset[str] = frozenset()) -> Iterator[ast.AST]:
    """A syntax tree with what its names stand for."""
    for part in ast.walk(node):
        yield part
        if isinstance(part, ast.Name) and part.id in known and part.id not in seen:
            yield from _expand(known[part.id], known, seen | {part.id})


def _sentences(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.stmt]:
    """The statements of a function that hold no other ones, and the heads of those that do."""
    for node in ast.walk(function):
        if isinstance(node, ast.stmt) and not _bodies(node):
            yield node


def _bodies(node: ast.stmt) -> Iterable[ast.stmt]:
    return [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""
