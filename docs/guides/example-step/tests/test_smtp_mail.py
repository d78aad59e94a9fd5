"""The step against a mail server, and the rules of its configuration."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import msgspec
import pytest

from engine.infra.http_client import HttpClient
from engine.steps.base import StepContext, StepFailure
from flowforge_smtp_mail.delivery import read_server
from flowforge_smtp_mail.step import MailConfig, SmtpMailStep

sys.path.insert(0, str(Path(__file__).parent))

from postbox import Postbox

MAIL = {"to": "ada@b.example", "subject": "Order 17", "text": "It is on its way.\n.\nSoon."}
STEP = SmtpMailStep()


@pytest.fixture
def postbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Postbox]:
    """A server that the environment names."""
    with Postbox().running() as box:
        monkeypatch.setenv("SMTP_MAIL_URL", f"smtp://127.0.0.1:{box.port}")
        monkeypatch.setenv("SMTP_MAIL_FROM", "shop@c.example")
        yield box


def make_context(attempt: int = 1, timeout: float = 5.0) -> StepContext:
    return StepContext(
        run_id=UUID(int=1),
        step_id="tell",
        attempt=attempt,
        idempotency_key="run:tell",
        timeout=timeout,
        http=cast("HttpClient", None),
    )


async def send(context: StepContext | None = None, **fields: Any) -> dict[str, Any]:
    return await STEP.run(msgspec.convert({**MAIL, **fields}, MailConfig), context or make_context())


async def fail(**fields: Any) -> StepFailure:
    with pytest.raises(StepFailure) as raised:
        await send(**fields)
    return raised.value


async def test_a_mail_arrives_as_it_was_written(postbox: Postbox) -> None:
    output = await send(to=["ada@b.example", "emmy@b.example"], reply_to="help@c.example", subject="Größe\n 17")
    (message,) = postbox.messages
    assert message["From"] == "shop@c.example"
    assert message["To"] == "ada@b.example, emmy@b.example"
    assert message["Reply-To"] == "help@c.example"
    assert message["Subject"] == "Größe 17"
    assert message.get_content().replace("\r\n", "\n") == MAIL["text"] + "\n"
    expected = {"message_id": message["Message-ID"], "accepted": ["ada@b.example", "emmy@b.example"], "refused": {}}
    # What JSON cannot hold is no output.
    assert msgspec.json.decode(msgspec.json.encode(output)) == expected


async def test_all_attempts_send_the_same_message_id(postbox: Postbox) -> None:
    first, second = await send(), await send(make_context(attempt=2))
    assert first["message_id"] == second["message_id"]
    assert first["message_id"].endswith("@c.example>")
    assert [message["Message-ID"] for message in postbox.messages] == [first["message_id"]] * 2


async def test_a_refused_address_is_told_and_the_others_get_their_mail(postbox: Postbox) -> None:
    postbox.answers["RCPT TO:<EMMY@B.EXAMPLE>"] = "550 no such mailbox"
    output = await send(to=["ada@b.example", "emmy@b.example"])
    assert output["accepted"] == ["ada@b.example"]
    assert output["refused"] == {"emmy@b.example": "550 no such mailbox"}


@pytest.mark.parametrize(("answer", "is_retryable"), [("450 busy", True), ("550 unknown", False)])
async def test_what_nobody_took_is_tried_again_unless_it_is_for_good(
    postbox: Postbox, answer: str, is_retryable: bool
) -> None:
    postbox.answers["RCPT TO:<ADA@B.EXAMPLE>"] = answer
    failure = await fail()
    assert (failure.code, failure.retryable) == ("recipients_refused", is_retryable)
    assert answer in failure.message


@pytest.mark.parametrize(("answer", "is_retryable"), [("421 later", True), ("554 no", False)])
async def test_the_answer_of_the_server_decides_about_another_attempt(
    postbox: Postbox, answer: str, is_retryable: bool
) -> None:
    postbox.answers["DATA"] = answer
    failure = await fail()
    assert (failure.code, failure.retryable) == ("smtp_refused", is_retryable)


async def test_a_silent_server_is_a_timeout(postbox: Postbox) -> None:
    postbox.is_silent = True
    with pytest.raises(StepFailure) as raised:
        await send(make_context(timeout=0.2))
    assert (raised.value.code, raised.value.cause, raised.value.retryable) == ("timeout", "timeout", True)


async def test_a_server_that_is_not_there_is_a_connection_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_MAIL_URL", "smtp://user:secret@127.0.0.1:1")
    monkeypatch.setenv("SMTP_MAIL_FROM", "shop@c.example")
    failure = await fail()
    assert (failure.code, failure.cause, failure.retryable) == ("smtp_connection", "connection", True)
    assert "secret" not in failure.message


@pytest.mark.parametrize("url", ["", "http://a", "smtp://", "smtp://a:99999"])
def test_without_a_server_the_step_says_what_to_set(url: str) -> None:
    with pytest.raises(StepFailure, match="SMTP_MAIL_URL"):
        read_server({"SMTP_MAIL_URL": url, "SMTP_MAIL_FROM": "a@b.example"})
    with pytest.raises(StepFailure, match="SMTP_MAIL_FROM"):
        read_server({"SMTP_MAIL_URL": "smtps://mail.example"})


def test_a_server_is_read_with_its_credentials() -> None:
    server = read_server({"SMTP_MAIL_URL": "smtps://a%40b:p%2Fw@mail.example", "SMTP_MAIL_FROM": "a@b.example"})
    assert (server.host, server.port, server.is_tls) == ("mail.example", 465, True)
    assert (server.user, server.password) == ("a@b", "p/w")


@pytest.mark.parametrize(
    ("fields", "places"),
    [
        pytest.param({}, [], id="right"),
        pytest.param({"to": "ada"}, ["/to"], id="no address"),
        pytest.param({"to": ["a@b.example", "a b@c"]}, ["/to/1"], id="one of several"),
        pytest.param({"to": "{{ input.to }}", "reply_to": "x{{ input.y }}"}, [], id="templates"),
        pytest.param({"subject": "a\nb"}, ["/subject"], id="two lines"),
    ],
)
def test_faults_are_found_before_a_run(fields: dict[str, Any], places: list[str]) -> None:
    assert [place for place, _, _ in STEP.check({**MAIL, **fields})] == places


async def test_what_a_template_gave_is_looked_at_again(postbox: Postbox) -> None:
    assert (await fail(to="a@b.example\nBcc: c@d.example")).code == "invalid_address"
    assert postbox.messages == []
