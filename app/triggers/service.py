"""What the trigger calls do."""

import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from app.audit.entries import Act, Action, Target
from app.audit.trail import enter
from app.auth.principal import Principal
from app.bodies import decode_body
from app.dependencies import driver_connection
from app.errors import InvalidRequest, NotFound
from app.triggers import repository, unattended
from app.triggers.schemas import NewTrigger, RotatedTrigger, Rotation, TriggerChange, TriggerView
from app.workflows.service import WorkflowService
from engine.core.problems import Problem
from engine.infra.ids import TRIGGER_TOKEN_BYTES, new_id
from engine.infra.secrets import SecretBox
from engine.store.held_pieces import look_again
from engine.triggers.signatures import InvalidSecret, check_secret, renew_secret
from engine.triggers.webhook import WebhookConfig, find_config_problems, split_secret

_SECRET_BYTES: Final = 32


def secret_place(trigger_id: UUID) -> str:
    """Where a trigger's secrets are kept: they open nowhere else."""
    return f"workflow_trigger/{trigger_id}/secret"


class _Authenticated(Struct):
    auth: str | dict[str, Any] = "none"


class TriggerService:
    """Makes, changes and shows triggers. Secrets are sealed before they reach the database."""

    def __init__(self, box: SecretBox, base_url: str) -> None:
        """`box` seals secrets, and answers with secrets that are kept for their repetition."""
        self.box = box
        self._base_url = base_url

    async def create(
        self,
        connection: AsyncConnection,
        principal: Principal,
        workflow_id: UUID,
        new: NewTrigger,
        *,
        may_lack_secret: bool = False,
    ) -> TriggerView:
        """Add a trigger to a workflow; without its secret it refuses everything. Raises NotFound, InvalidRequest."""
        await WorkflowService(connection, principal).require(workflow_id)
        if new.type != "webhook":
            return await self._create_unattended(connection, principal, workflow_id, new)
        config = _read_config(new.config, needs_none=may_lack_secret)
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
        await _enter(connection, principal, Action.TRIGGER_CREATED, None, row)
        return self._show(row)

    async def _create_unattended(
        self, connection: AsyncConnection, principal: Principal, workflow_id: UUID, new: NewTrigger
    ) -> TriggerView:
        config = await unattended.read_config(connection, principal, new.type, new.config, is_on=new.enabled)
        row = await repository.insert_trigger(
            connection,
            id=new_id(),
            workspace_id=principal.workspace_id,
            workflow_id=workflow_id,
            type=new.type,
            config=msgspec.json.encode(config),
            enabled=new.enabled,
        )
        await unattended.settle(connection, row, config, is_new=True)
        await _enter(connection, principal, Action.TRIGGER_CREATED, None, row)
        return (await self._show_all(connection, [row]))[0]

    async def list_all(self, connection: AsyncConnection, principal: Principal, workflow_id: UUID) -> list[TriggerView]:
        """The triggers of a workflow; raises NotFound."""
        await WorkflowService(connection, principal).require(workflow_id)
        rows = await repository.list_triggers(connection, principal.workspace_id, workflow_id)
        return await self._show_all(connection, rows)

    async def change(
        self,
        connection: AsyncConnection,
        principal: Principal,
        trigger_id: UUID,
        change: TriggerChange,
        *,
        may_lack_secret: bool = False,
    ) -> TriggerView:
        """Change a trigger; one that lacks its secret may go on without. Raises NotFound, InvalidRequest."""
        row = await self._lock(connection, principal, trigger_id)
        if row.type != "webhook":
            return await self._change_unattended(connection, principal, row, change)
        values: dict[str, Any] = {}
        if isinstance(change.enabled, bool):
            values["enabled"] = change.enabled
        if isinstance(change.config, msgspec.Raw):
            # The secret of another kind of authentication is none of this one.
            is_same = _kind(change.config) == _kind(msgspec.Raw(row.config))
            config = _read_config(change.config, needs_none=is_same or may_lack_secret)
            bare, secret = split_secret(config)
            values["config"] = msgspec.json.encode(bare)
            if secret is not None or not is_same:
                values["secret"] = self._seal(trigger_id, [secret] if secret else [])
                values["previous_secret_until"] = None
        changed = await repository.update_trigger(connection, principal.workspace_id, trigger_id, **values)
        await look_again(await driver_connection(connection), trigger_id)
        await _enter(connection, principal, Action.TRIGGER_CHANGED, row, changed)
        return self._show(changed)

    async def _change_unattended(
        self, connection: AsyncConnection, principal: Principal, row: Row[Any], change: TriggerChange
    ) -> TriggerView:
        before = unattended.decode_saved(row.type, row.config)
        is_on = change.enabled if isinstance(change.enabled, bool) else row.enabled
        raw = change.config if isinstance(change.config, msgspec.Raw) else msgspec.Raw(row.config)
        is_new = is_on and not row.enabled
        if isinstance(change.config, msgspec.Raw) or is_new:
            config = await unattended.read_config(connection, principal, row.type, raw, is_on=is_on)
        else:
            config = before
        values = {"enabled": is_on, "config": msgspec.json.encode(config)}
        changed = await repository.update_trigger(connection, principal.workspace_id, row.id, **values)
        await unattended.settle(connection, changed, config, is_new=is_new or config != before)
        if row.type == "event":
            await look_again(await driver_connection(connection), row.id)
        await _enter(connection, principal, Action.TRIGGER_CHANGED, row, changed)
        return (await self._show_all(connection, [changed]))[0]

    async def delete(self, connection: AsyncConnection, principal: Principal, trigger_id: UUID) -> None:
        """Remove a trigger; its address is unknown from now on. Raises NotFound."""
        row = await self._lock(connection, principal, trigger_id)
        await repository.delete_trigger(connection, principal.workspace_id, trigger_id)
        await look_again(await driver_connection(connection), trigger_id)
        await unattended.forget(connection, row.type)
        await _enter(connection, principal, Action.TRIGGER_DELETED, row, None)

    async def rotate(
        self, connection: AsyncConnection, principal: Principal, trigger_id: UUID, rotation: Rotation
    ) -> RotatedTrigger:
        """Make a new address or secret. An old address is void at once, an old secret once the overlap is over.

        Raises NotFound, InvalidRequest.
        """
        row = await self._lock(connection, principal, trigger_id)
        rotated = await self._rotate(connection, principal, row, rotation)
        act = Act(action=Action.TRIGGER_ROTATED, target=_target(row), after={"what": rotation.what})
        await enter(connection, principal, act)
        return rotated

    async def _rotate(
        self, connection: AsyncConnection, principal: Principal, row: Row[Any], rotation: Rotation
    ) -> RotatedTrigger:
        if row.type != "webhook":
            message = f"a trigger of the type {row.type} has neither an address nor a secret"
            raise InvalidRequest(errors=[Problem("/what", "not_applicable", message)])
        if rotation.what == "secret":
            return await self._rotate_secret(connection, row, rotation)
        if rotation.secret is not None:
            raise InvalidRequest(errors=[Problem("/secret", "not_applicable", "an address is made, not given")])
        token = secrets.token_urlsafe(TRIGGER_TOKEN_BYTES)
        row = await repository.update_trigger(connection, principal.workspace_id, row.id, token=token)
        return RotatedTrigger(trigger=self._show(row), secret=None)

    async def _rotate_secret(self, connection: AsyncConnection, row: Row[Any], rotation: Rotation) -> RotatedTrigger:
        auth = msgspec.json.decode(row.config, type=WebhookConfig).auth
        if isinstance(auth, str):
            raise InvalidRequest(errors=[Problem("/what", "no_secret", "this trigger authenticates nobody")])
        previous = self.open_secrets(row.id, row.secret)
        made = None if rotation.secret else renew_secret(auth, previous, secrets.token_bytes(_SECRET_BYTES))
        newest = rotation.secret or made or ""
        try:
            check_secret(auth, newest)
        except InvalidSecret as error:
            raise InvalidRequest(errors=[Problem("/secret", "invalid_secret", str(error))]) from None
        kept = previous[:1] if rotation.overlap_hours else []
        until = await repository.read_time(connection) + timedelta(hours=rotation.overlap_hours) if kept else None
        values = {"secret": self._seal(row.id, [newest, *kept]), "previous_secret_until": until}
        row = await repository.update_trigger(connection, row.workspace_id, row.id, **values)
        return RotatedTrigger(trigger=self._show(row), secret=made)

    def open_secrets(self, trigger_id: UUID, sealed: bytes | None) -> list[str]:
        """The secrets of a trigger in plain text, the newest first."""
        if sealed is None:
            return []
        return msgspec.json.decode(self.box.open(sealed, secret_place(trigger_id)), type=list[str])

    async def _lock(self, connection: AsyncConnection, principal: Principal, trigger_id: UUID) -> Row[Any]:
        row = await repository.lock_trigger(connection, principal.workspace_id, trigger_id)
        if row is None:
            raise NotFound
        return row

    def _seal(self, trigger_id: UUID, plain: list[str]) -> bytes | None:
        return self.box.seal(msgspec.json.encode(plain), secret_place(trigger_id)) if plain else None

    async def _show_all(self, connection: AsyncConnection, rows: Sequence[Row[Any]]) -> list[TriggerView]:
        schedules = await unattended.show_schedules(connection, rows)
        return [msgspec.structs.replace(self._show(row), schedule=schedules.get(row.id)) for row in rows]

    def _show(self, row: Row[Any]) -> TriggerView:
        config, has_secret = msgspec.json.decode(row.config), row.secret is not None
        return TriggerView(
            id=row.id,
            workflow_id=row.workflow_id,
            type=row.type,
            config=config,
            has_secret=has_secret,
            needs_secret=isinstance(config.get("auth"), dict) and not has_secret,
            previous_secret_until=row.previous_secret_until,
            enabled=row.enabled,
            url=None if row.token is None else f"{self._base_url}/v1/hooks/{row.token}",
            created_at=row.created_at,
            updated_at=row.updated_at,
        )


async def _enter(
    connection: AsyncConnection, principal: Principal, action: Action, before: Row[Any] | None, after: Row[Any] | None
) -> None:
    """Enter what a trigger was and is, if that differs; its address is left out as secrets are, for it is one."""
    if (
        before
        and after
        and (before.enabled, before.config, before.secret)
        == (
            after.enabled,
            after.config,
            after.secret,
        )
    ):
        return
    sides = [
        None if row is None else {"enabled": row.enabled, "config": msgspec.Raw(row.config)} for row in (before, after)
    ]
    act = Act(action=action, target=_target(after or before), before=sides[0], after=sides[1])
    await enter(connection, principal, act)


def _target(row: Row[Any] | None) -> Target | None:
    return None if row is None else Target(type="trigger", id=str(row.id), name=row.type)


def _read_config(raw: msgspec.Raw, *, needs_none: bool) -> WebhookConfig:
    """The configuration; `needs_none`: it may come without its secret."""
    try:
        config: WebhookConfig = decode_body(bytes(raw), WebhookConfig)
    except InvalidRequest as error:
        problems = [Problem("/config" + fault.pointer, fault.code, fault.message) for fault in error.errors]
        raise InvalidRequest(errors=problems) from None
    problems = find_config_problems(config, has_secret=needs_none)
    if problems:
        raise InvalidRequest(errors=problems)
    return config


def _kind(raw: msgspec.Raw) -> str:
    """What kind of authentication a configuration asks for; empty where it cannot be told."""
    try:
        auth = msgspec.json.decode(raw, type=_Authenticated).auth
    except msgspec.MsgspecError:
        return ""
    return auth if isinstance(auth, str) else str(auth.get("type", ""))
