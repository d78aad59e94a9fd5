"""What a workflow answers a hook's caller with, under the address of the application."""

import pytest

from app.triggers.answers import Responded
from app.triggers.responses import make_response
from app.triggers.schemas import Ingested
from engine.infra.ids import new_id


@pytest.mark.parametrize(
    "name",
    [
        *("Set-Cookie", "NEL", "Report-To", "Reporting-Endpoints", "Alt-Svc", "Strict-Transport-Security", "Accept-CH"),
        *("Clear-Site-Data", "Service-Worker-Allowed", "X-Content-Type-Options", "X-Frame-Options", "Content-Length"),
        *("X-Accel-Redirect", "X-Sendfile", "X-Lighttpd-Send-File", "X-Reproxy-URL", "X-LiteSpeed-Location"),
        *("Cross-Origin-Opener-Policy", "Referrer-Policy", "Public-Key-Pins", "Expect-CT", "X-FlowForge-Run-Id"),
    ],
)
def test_a_workflow_sets_nothing_that_concerns_the_rest_of_the_address(name: str) -> None:
    ingested = Ingested(event_id=new_id(), run_id=new_id())
    answer = Responded(status=200, headers={name: "theirs", name.lower(): "theirs", "X-Own": "own"}, body="<b>")
    headers = make_response(ingested, answer).headers
    assert headers["x-own"] == "own"
    assert "theirs" not in headers.values()
    assert "sandbox" in headers["content-security-policy"]
