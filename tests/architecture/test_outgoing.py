"""Whatever the product calls, it calls over the one guarded client: no other way out of a process."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, at, python_files, tree

# The guarded client itself.
CLIENT = {
    "engine/infra/http_client.py",
    "engine/infra/http_connector.py",
    "engine/infra/http_errors.py",
    "engine/infra/http_exchange.py",
}
# Modules that reach other machines, or do so as soon as somebody uses them.
WAYS_OUT = {
    *("aiohttp", "aiosmtplib", "asyncssh", "boto3", "ftplib", "grpc", "http.client", "httpx", "imaplib", "ldap3"),
    *("nntplib", "paramiko", "poplib", "pycurl", "requests", "smtplib", "socketserver", "ssl", "telnetlib", "tornado"),
    *("treq", "urllib.request", "urllib3", "websocket", "websockets", "xmlrpc", "authlib.integrations"),
    *("opentelemetry.exporter", "dns", "socket", "_socket", "subprocess", "multiprocessing"),
}
# By which an imported module gets there all the same.
CALLS_OUT = {
    *("open_connection", "open_unix_connection", "create_connection", "create_unix_connection", "sock_connect"),
    *("create_datagram_endpoint", "create_subprocess_exec", "create_subprocess_shell", "system", "popen", "urlopen"),
    *("import_module", "__import__", "ClientSession", "TCPConnector"),
}
# Others, each with its reason.
ALLOWED = {
    ("app/server.py", "socket"): "listens",
    ("engine/infra/metrics_exchange.py", "socket"): "asks for the name of this machine",
    ("engine/infra/trace_export.py", "socket"): "asks for the name of this machine",
    ("engine/infra/trace_export.py", "opentelemetry.exporter"): "sends traces to where the operator says",
    ("engine/worker/lease.py", "socket"): "asks for the name of this machine",
}
# What a module that is allowed for another reason may call of it.
SOCKET_CALLS = {"AddressFamily", "gethostname", "getaddrinfo", "create_server"}
# `./flowforge …` calls the product that its user names; the product itself loads none of it.
PRODUCT = [*python_files("app", "engine"), ROOT / "worker.py", ROOT / "relay.py"]


def names_of(node: ast.AST) -> list[str]:
    """What an import statement imports, each as `module.name`."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def find_ways_out(path: Path, module: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Every way out that a module takes: an import, or a call."""
    for node in ast.walk(module):
        for name in names_of(node):
            for way in WAYS_OUT:
                if name == way or name.startswith(f"{way}."):
                    yield way, node
        if isinstance(node, ast.Call):
            called = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
            if called in CALLS_OUT:
                yield called, node
            of = getattr(getattr(node.func, "value", None), "id", None)
            if of == "socket" and called not in SOCKET_CALLS and str(path) not in CLIENT:
                yield f"socket.{called}", node


def test_nothing_but_the_guarded_client_reaches_other_machines() -> None:
    found = []
    for path in PRODUCT:
        place = str(path.relative_to(ROOT))
        for way, node in find_ways_out(path.relative_to(ROOT), tree(path)):
            if place not in CLIENT and (place, way) not in ALLOWED:
                assert isinstance(node, ast.expr | ast.stmt)
                found.append(f"{at(path, node)}: {way}")
    assert found == [], "call over engine/infra/http_client.py, which is guarded"


def test_no_exception_outlives_its_reason() -> None:
    used = {
        (str(path.relative_to(ROOT)), way)
        for path in PRODUCT
        for way, _ in find_ways_out(path.relative_to(ROOT), tree(path))
    }
    assert ALLOWED.keys() - used == set()
    assert {place for place, _ in used} >= CLIENT


@pytest.mark.parametrize(
    "line",
    [
        "import httpx",
        "import urllib.request",
        "from urllib import request",
        "from http import client",
        "from aiohttp import ClientSession",
        "from authlib.integrations.httpx_client import AsyncOAuth2Client",
        "asyncio.open_connection('127.0.0.1', 80)",
        "loop.create_connection(make, '127.0.0.1', 80)",
        "importlib.import_module('httpx')",
        "socket.create_connection(('127.0.0.1', 80))",
        "os.system('curl http://127.0.0.1/')",
    ],
)
def test_a_way_out_is_noticed(line: str) -> None:
    assert list(find_ways_out(Path("app/other.py"), ast.parse(line)))


def test_the_client_takes_no_way_but_its_connector() -> None:
    """Sockets are opened in one place, which asks the policy first."""
    opened = [
        at(path, node)
        for path in PRODUCT
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "socket.socket"
    ]
    assert len(opened) == 1
    assert opened[0].startswith("engine/infra/http_connector.py:")
