import http.client
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import msgspec
import pytest

from app.server import serve
from engine.infra.settings import SettingError, Settings
from tests.integration.api.served import serving


def test_the_process_from_its_start_to_sigterm(settings: Settings, clean_database: str, clean_redis: str) -> None:
    with serving(msgspec.structs.replace(settings, secret_key="")) as served:
        assert (Path(settings.data_dir) / "secret.key").stat().st_mode & 0o777 == 0o600
        _send_too_much_in_chunks(served.url)
        with closing(_Half(served.url)) as half:
            served.process.terminate()
            _wait_until_refused(half.port)
            assert half.finish() == 401
        assert served.process.wait(timeout=60) == 0


def _send_too_much_in_chunks(url: str) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 65_536

    answer = httpx.post(f"{url}/v1/auth/login", content=chunks(), headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "payload_too_large")
    assert "server" not in answer.headers


class _Half:
    """A request whose body is sent by half."""

    BODY = b'{"email": "nobody@example.com", "password": "wrong password"}'

    def __init__(self, url: str) -> None:
        self.port = int(url.rpartition(":")[2])
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self._connection.putrequest("POST", "/v1/auth/login")
        self._connection.putheader("content-type", "application/json")
        self._connection.putheader("content-length", str(len(self.BODY)))
        self._connection.endheaders(self.BODY[:10])
        # By now the first half has arrived.
        assert httpx.get(f"{url}/health/live").status_code == 200

    def finish(self) -> int:
        """Send the rest; the status of the answer."""
        self._connection.send(self.BODY[10:])
        with self._connection.getresponse() as answer:
            return answer.status

    def close(self) -> None:
        self._connection.close()


def _wait_until_refused(port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            # It was in the queue of the listening socket when that was closed.
            continue


@pytest.mark.parametrize(("trusted", "status"), [("127.0.0.0/8", 401), ("", 429), ("10.0.0.7", 429)])
def test_callers_behind_a_trusted_proxy_are_told_apart(
    settings: Settings, clean_database: str, clean_redis: str, trusted: str, status: int
) -> None:
    guess = {"email": "owner@example.com", "password": "a guess of mine"}
    with serving(settings, FLOWFORGE_TRUSTED_PROXIES=trusted) as served:

        def log_in(address: str) -> int:
            headers = {"x-forwarded-for": address}
            return httpx.post(f"{served.url}/v1/auth/login", json=guess, headers=headers, timeout=60).status_code

        assert [log_in("198.51.100.1") for _ in range(6)] == [401] * 5 + [429]
        assert log_in("198.51.100.2") == status


def test_a_taken_port_is_told_with_the_cure(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingError, match=rf"FLOWFORGE_PORT={port} .*another port"):
            serve(msgspec.structs.replace(settings, port=port))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"host": "no.such.host.invalid"}, "FLOWFORGE_HOST"),
        ({"database_url": ""}, "FLOWFORGE_DATABASE_URL"),
        ({"redis_url": ""}, "FLOWFORGE_REDIS_URL"),
        ({"secret_key": "short"}, "openssl rand"),
        ({"trusted_proxies": "10.0.0.1/8, proxy"}, "FLOWFORGE_TRUSTED_PROXIES"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(settings: Settings, change: dict[str, str], words: str) -> None:
    with pytest.raises(SettingError, match=words) as caught:
        serve(msgspec.structs.replace(settings, **change))
    assert "\n" not in str(caught.value)
