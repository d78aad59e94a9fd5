import pytest

from engine.infra import database
from engine.infra.faults import make_seam
from tests.integration.faults.script import Script
from tests.integration.worker.conftest import target, workshop

# Fixtures of another folder's.
__all__ = ["target", "workshop"]


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def scripted(script: Script, monkeypatch: pytest.MonkeyPatch) -> Script:
    """All connections that the product makes fail by the script."""
    seam = make_seam(script.draw)
    monkeypatch.setattr(database, "find_seam", lambda _settings, name: None if name == "test" else seam)
    return script
