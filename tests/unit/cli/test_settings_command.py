"""`settings` lists everything and shows no secret."""

import json

import pytest

from cli.commands.settings import describe
from cli.main import main
from engine.infra.settings import Settings


def test_every_setting_is_explained() -> None:
    settings = describe(Settings())
    assert [setting.name for setting in settings] == list(Settings.__struct_fields__)
    assert [setting.name for setting in settings if not setting.description or not setting.type] == []


def test_secrets_are_masked() -> None:
    current = Settings(
        secret_key="k3y", setup_token="t0ken", database_url="postgresql://u:pw1@h/d", redis_url="redis://:pw2@h/0"
    )
    shown = {setting.name: setting.value for setting in describe(current)}
    assert shown["secret_key"] == shown["setup_token"] == "***"
    assert shown["database_url"] == "postgresql://u:***@h/d"
    assert shown["redis_url"] == "redis://:***@h/0"


def test_json_names_variable_default_and_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLOWFORGE_PORT", "8123")
    assert main(["settings", "--json"]) == 0
    port = next(setting for setting in json.loads(capsys.readouterr().out) if setting["name"] == "port")
    assert port == {
        "name": "port",
        "environment": "FLOWFORGE_PORT",
        "type": "integer 1..65535",
        "default": 8000,
        "value": 8123,
        "description": "port that the API listens on",
    }


def test_a_bad_value_is_named_after_the_list(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLOWFORGE_WORKERS", "many")
    assert main(["settings"]) == 2
    captured = capsys.readouterr()
    assert "FLOWFORGE_WORKERS  (integer 0..64, default 1)" in captured.out
    assert captured.err.startswith("flowforge: FLOWFORGE_WORKERS='many' cannot be used")
    assert captured.err.count("\n") == 1
