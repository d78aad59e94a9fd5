"""What the trigger calls do."""

import base64
import secrets
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.principal import Principal
from app.bodies import decode_body
from app.errors import InvalidRequest, NotFound
from app.triggers import repository
from app.triggers.schemas import NewTrigger, RotatedTrigger, TriggerChange, TriggerView
from app.workflows.service import WorkflowService
from engine.core.problems import Problem
from engine.infra.ids import TRIGGER_TOKEN_BYTES, new_id
from engine.infra.secrets import SecretBox
from engine.triggers.webhook import WebhookConfig, find_config_problems, split_secret

SECRET_PURPOSE: Final = "trigger-secrets"  # noqa: S105 - it names a purpose
_SECRET_BYTES: Final = 32


def secret_place(trigger_id: UUID) -> str:
    """Where a trigger's secrets are kept: they open nowhere else."""
    return f"workflow_trigger/{trigger_id}/secret"


class TriggerService:
    """Makes, changes and shows triggers. Secrets are sealed before they reach the database."""

    def __init__(self, box: SecretBox, base_url: str) -> None:
        self._box = box
        self._base_url = base_url

    async def create(
        self, connection: AsyncConnection, principal: Principal, workflow_id: UUID, new: NewTrigger
    ) -> TriggerView:
        """Add a trigger to a workflow. Raises NotFound, InvalidRequest."""
        await WorkflowService(connection, principal).require(workflow_id)
        config = _read_config(new.config, has_secret=False)
        bare, secret = split_secret(config)
        trigger_id = new_id()
        row = await repository.insert_trigger(
            connection,
            id=trigger_id,
            workspace_id=principal.workspace_id,
            workflow_id=workflow_id,
            type=new.type,
            config=msgspec.json.encode(bare),
            secret=self._seal(trigger_id, [secret] if secret else []),
            token=secrets.token_urlsafe(TRIGGER_TOKEN_BYTES),
            enabled=new.enabled,
        )
        return self._show(row)

    async def list_all(self, connection: AsyncConnection, principal: Principal, workflow_id: UUID) -> list[TriggerView]:
        """The triggers of a workflow; raises NotFound."""
        await WorkflowService(connection, principal).require(workflow_id)
        rows = await repository.list_triggers(connection, principal.workspace_id, workflow_id)
        return [self._show(row) for row in rows]

    async def change(
        self, connection: AsyncConnection, principal: Principal, trigger_id: UUID, change: TriggerChange
    ) -> TriggerView:
        """Change a trigger. Raises NotFound, InvalidRequest."""
        row = await self._lock(connection, principal, trigger_id)
        values: dict[str, Any] = {}
        if isinstance(change.enabled, bool):
            values["enabled"] = change.enabled
        if isinstance(change.config, msgspec.Raw):
            config = _read_config(change.config, has_secret=row.secret is not None)
            bare, secret = split_secret(config)
            values["config"] = msgspec.json.encode(bare)
            if bare.auth == "none":
                values["secret"] = None
            elif secret is not None:
                values["secret"] = self._seal(trigger_id, [secret])
        return self._show(await repository.update_trigger(connection, principal.workspace_id, trigger_id, **values))

    async def delete(self, connection: AsyncConnection, principal: Principal, trigger_id: UUID) -> None:
        """Remove a trigger; its address is unknown from now on. Raises NotFound."""
        if not await repository.delete_trigger(connection, principal.workspace_id, trigger_id):
            raise NotFound

    async def rotate(
        self, connection: AsyncConnection, principal: Principal, trigger_id: UUID, what: str
    ) -> RotatedTrigger:
        """Make a new address or secret; the old one is void at once. Raises NotFound, InvalidRequest."""
        row = await self._lock(connection, principal, trigger_id)
        secret: str | None = None
        if what == "url":
            values: dict[str, Any] = {"token": secrets.token_urlsafe(TRIGGER_TOKEN_BYTES)}
        else:
            if msgspec.json.decode(row.config, type=WebhookConfig).auth == "none":
                raise InvalidRequest(errors=[Problem("/what", "no_secret", "this trigger authenticates nobody")])
            secret = "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
            values = {"secret": self._seal(trigger_id, [secret])}
        row = await repository.update_trigger(connection, principal.workspace_id, trigger_id, **values)
        return RotatedTrigger(trigger=self._show(row), secret=secret)

    def open_secrets(self, trigger_id: UUID, sealed: bytes | None) -> list[str]:
        """The secrets of a trigger in plain text, for the time of one check."""
        if sealed is None:
            return []
        return msgspec.json.decode(self._box.open(sealed, secret_place(trigger_id)), type=list[str])

    async def _lock(self, connection: AsyncConnection, principal: Principal, trigger_id: UUID) -> Row[Any]:
        row = await repository.lock_trigger(connection, principal.workspace_id, trigger_id)
        if row is None:
            raise NotFound
        return row

    def _seal(self, trigger_id: UUID, plain: list[str]) -> bytes | None:
        return self._box.seal(msgspec.json.encode(plain), secret_place(trigger_id)) if plain else None

    def _show(self, row: Row[Any]) -> TriggerView:
        return TriggerView(
            id=row.id,
            workflow_id=row.workflow_id,
            type=row.type,
            config=msgspec.json.decode(row.config),
            has_secret=row.secret is not None,
            enabled=row.enabled,
            url=f"{self._base_url}/v1/hooks/{row.token}",
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


def _read_config(raw: msgspec.Raw, *, has_secret: bool) -> WebhookConfig:
    try:
        config: WebhookConfig = decode_body(bytes(raw), WebhookConfig)
    except InvalidRequest as error:
        problems = [Problem("/config" + fault.pointer, fault.code, fault.message) for fault in error.errors]
        raise InvalidRequest(errors=problems) from None
    problems = find_config_problems(config, has_secret=has_secret)
    if problems:
        raise InvalidRequest(errors=problems)
    return config
