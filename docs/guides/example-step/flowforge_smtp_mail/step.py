"""The `smtp_mail` step: one e-mail an attempt."""

import asyncio
import os
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct

from engine.steps.base import ActionStep, Fault, RetryDefaults, StepContext, StepFailure
from engine.steps.templates import is_template
from flowforge_smtp_mail.delivery import deliver, read_server, write_message

Address = Annotated[str, Meta(min_length=3, max_length=320)]


class MailConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in `with`. Titles and descriptions become the form in the web builder."""

    to: Annotated[
        Address | Annotated[list[Address], Meta(min_length=1, max_length=50)],
        Meta(title="To", description="An address, or a list of them"),
    ]
    subject: Annotated[str, Meta(title="Subject", min_length=1, max_length=500)]
    text: Annotated[str, Meta(title="Text", extra_json_schema={"format": "multiline"})]
    reply_to: Annotated[Address | None, Meta(title="Reply to", description="Where answers go")] = None


class SmtpMailStep(ActionStep):
    """Sends an e-mail and gives `{message_id, accepted, refused}`."""

    name: ClassVar = "smtp_mail"
    title: ClassVar = "E-mail"
    icon: ClassVar = "mail"
    Config: ClassVar = MailConfig
    default_timeout: ClassVar = 60.0
    default_retry: ClassVar = RetryDefaults(max_attempts=4, initial=2.0, factor=2.0, max=120.0)

    def check(self, config: Mapping[str, Any]) -> Iterable[Fault]:
        """What the schema cannot say: addresses have an @, headers are one line. Templates are left for later."""
        to = config.get("to")
        places = [("/to", to), ("/reply_to", config.get("reply_to"))]
        if isinstance(to, list):
            places[:1] = [(f"/to/{index}", address) for index, address in enumerate(to)]
        for place, address in places:
            if isinstance(address, str) and not is_template(address) and not is_address(address):
                yield place, "invalid_address", f"'{address}' is no e-mail address"
        subject = config.get("subject")
        if isinstance(subject, str) and "\n" in subject.strip():
            yield "/subject", "several_lines", "a subject is one line"

    async def run(self, config: MailConfig, context: StepContext) -> dict[str, Any]:
        """Send it; raises StepFailure, which says whether another attempt makes sense."""
        recipients = [config.to] if isinstance(config.to, str) else config.to
        # Templates are filled in by now: what `check` had to leave is looked at here.
        for address in (*recipients, *filter(None, [config.reply_to])):
            if not is_address(address):
                raise StepFailure("invalid_address", f"'{address}' is no e-mail address")
        server = read_server(os.environ)
        message = write_message(
            server.sender,
            recipients,
            subject=config.subject,
            text=config.text,
            reply_to=config.reply_to,
            idempotency_key=context.idempotency_key,
        )
        # smtplib blocks: in the event loop it would hold up every other run of the worker.
        refused = await asyncio.to_thread(deliver, server, message, context.remaining_seconds)
        return {
            "message_id": str(message["Message-ID"]),
            "accepted": [address for address in recipients if address not in refused],
            "refused": refused,
        }


def is_address(text: str) -> bool:
    """Whether it looks like an address; only sending tells whether it is one."""
    name, at, host = text.rpartition("@")
    return bool(name and at and host) and not any(character.isspace() or character in "<>," for character in text)
