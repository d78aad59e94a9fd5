"""Faults are for tests: where others could be harmed, they are refused."""

import pytest

from engine.infra.database import create_engine
from engine.infra.settings import SettingError, Settings, load_settings, read_faults

FAULTS = "FLOWFORGE_TEST_DATABASE_FAULTS"
LOCAL = "postgresql://flowforge@127.0.0.1:5432/flowforge"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://flowforge@127.0.0.1:5432/flowforge",
        "postgresql://flowforge@localhost/flowforge",
        "postgresql://flowforge@[::1]:5432/flowforge",
        "postgresql:///flowforge?host=/run/postgresql",
    ],
)
def test_faults_are_for_a_database_on_this_machine(url: str) -> None:
    settings = load_settings({FAULTS: "0.01:7", "FLOWFORGE_DATABASE_URL": url})
    assert read_faults(settings) == (0.01, 7)


@pytest.mark.parametrize(
    "others",
    [
        {"FLOWFORGE_DATABASE_URL": "postgresql://flowforge@db.example/flowforge"},
        {"FLOWFORGE_DATABASE_URL": "postgresql://flowforge@127.0.0.1:5432,10.0.0.7:5432/flowforge"},
        {"FLOWFORGE_DATABASE_URL": "postgresql:///flowforge?host=db.example"},
        {"FLOWFORGE_DATABASE_URL": LOCAL, "FLOWFORGE_HOST": "0.0.0.0"},
        {"FLOWFORGE_DATABASE_URL": LOCAL, "FLOWFORGE_PUBLIC_URL": "https://flowforge.example"},
    ],
    ids=["database elsewhere", "one of several elsewhere", "elsewhere by parameter", "open api", "public address"],
)
def test_faults_are_refused_where_others_are_served(others: dict[str, str]) -> None:
    with pytest.raises(SettingError, match=f"{FAULTS} makes statements fail and is for tests alone"):
        load_settings({FAULTS: "0.01:7", **others})
    load_settings(others)


@pytest.mark.parametrize("value", ["yes", "0.01", "0.01:", ":7", "0:7", "1.5:7", "-0.1:7", "nan:7"])
def test_a_plan_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(SettingError, match="it is RATE:SEED"):
        load_settings({FAULTS: value, "FLOWFORGE_DATABASE_URL": LOCAL})


def test_settings_that_were_not_read_from_the_environment_are_refused_too() -> None:
    settings = Settings(database_url="postgresql://flowforge@db.example/flowforge", test_database_faults="0.01:7")
    with pytest.raises(SettingError, match="for tests alone"):
        create_engine(settings, name="api")
