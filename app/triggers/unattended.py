"""Triggers that fire outside requests, as the API sees them: what they are saved with, and when they are due."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from app.auth.principal import Principal
from app.bodies import decode_body
from app.dependencies import driver_connection
from app.errors import InvalidRequest, NotFound
from app.triggers import queries
from app.triggers.queries import ScheduleState
from app.triggers.schemas import ScheduleView
from app.workflows.service import WorkflowService
from engine.core.problems import Problem
from engine.store.listeners import count_listeners
from engine.triggers import event, schedule
from engine.triggers.event import EventConfig
from engine.triggers.schedule import ScheduleConfig

# Each event of a workspace is held against all of its listeners, in the process that publishes everybody's.
MAX_LISTENERS: Final = 50

UnattendedConfig = ScheduleConfig | EventConfig

# Fields of other triggers, and why there are none of them here.
_ON_TIME: Final = "a schedule starts one run for each due time; this is for triggers that something else sets off"
_ELSEWHERE: Final[dict[type, dict[str, str]]] = {
    ScheduleConfig: dict.fromkeys(
        ("throttle", "debounce", "batch", "rate_limit", "filter", "dedup_key", "respond", "auth"), _ON_TIME
    ),
    EventConfig: {
        "rate_limit": "nobody calls an event trigger: throttle holds its events back",
        "dedup_key": "an event trigger hears each event once",
        "respond": "nobody waits for the answer to an event",
        "auth": "events come from the product itself",
    },
}


async def read_config(
    connection: AsyncConnection, principal: Principal, kind: str, raw: msgspec.Raw, *, is_on: bool
) -> UnattendedConfig:
    """The configuration of a `schedule` or an `event` trigger; raises InvalidRequest with every fault."""
    if kind == "schedule":
        return await _read_schedule(connection, raw, is_on=is_on)
    config: EventConfig = _decode(raw, EventConfig)
    problems = event.find_config_problems(config)
    problems += await _find_workflow_problems(connection, principal, config)
    if problems:
        raise InvalidRequest(errors=problems)
    return config


async def settle(connection: AsyncConnection, row: Row[Any], config: UnattendedConfig, *, is_new: bool) -> None:
    """Say what follows from a trigger's row that was saved just now.

    `is_new`: it was made, changed in its configuration, or switched on, so that its due times begin now. Raises
    InvalidRequest where a workspace has too many that listen.
    """
    if isinstance(config, EventConfig):
        await queries.change_listeners(connection)
        driver = await driver_connection(connection)
        if is_new and row.enabled and await count_listeners(driver, row.workspace_id) > MAX_LISTENERS:
            message = f"a workspace has at most {MAX_LISTENERS} event triggers that are switched on"
            raise InvalidRequest(errors=[Problem("/enabled", "too_many_triggers", message)])
    elif not row.enabled:
        await queries.set_next_due(connection, row.id, None)
    elif is_new:
        now = await queries.read_clock(connection)
        rule = schedule.make_rule(config)
        await queries.set_next_due(connection, row.id, await asyncio.to_thread(rule.next_after, now))


async def forget(connection: AsyncConnection, kind: str) -> None:
    """Say what follows from the removal of a trigger; a schedule's row goes with it."""
    if kind == "event":
        await queries.change_listeners(connection)


async def preview(connection: AsyncConnection, raw: msgspec.Raw) -> list[datetime]:
    """The next times at which a schedule of this configuration would be due; raises InvalidRequest."""
    config = await _read_schedule(connection, raw, is_on=True)
    now = await queries.read_clock(connection)
    rule = schedule.make_rule(config)
    return await asyncio.to_thread(lambda: schedule.list_times(rule, rule.next_after(now)))


async def show_schedules(connection: AsyncConnection, rows: Sequence[Row[Any]]) -> dict[UUID, ScheduleView]:
    """What is shown of those of the triggers that are schedules, by trigger."""
    configs = {row.id: schedule.decode_config(row.config) for row in rows if row.type == "schedule"}
    if not configs:
        return {}
    states = await queries.list_schedules(connection, list(configs))
    return await asyncio.to_thread(lambda: {one: _show(configs[one], state) for one, state in states.items()})


def decode_saved(kind: str, raw: bytes) -> UnattendedConfig:
    """A configuration as it is kept."""
    if kind == "schedule":
        return schedule.decode_config(raw)
    return msgspec.json.decode(raw, type=EventConfig)


def _show(config: ScheduleConfig, state: ScheduleState) -> ScheduleView:
    return ScheduleView(
        next_fire_times=schedule.list_times(schedule.make_rule(config), state.next_due_at),
        last_due_at=state.last_due_at,
        last_run_id=state.last_run_id,
        skipped_at=state.skipped_at,
        skip_reason=state.skip_reason,
    )


async def _read_schedule(connection: AsyncConnection, raw: msgspec.Raw, *, is_on: bool) -> ScheduleConfig:
    config: ScheduleConfig = _decode(raw, ScheduleConfig)
    now = await queries.read_clock(connection)
    problems = await asyncio.to_thread(schedule.find_config_problems, config, now=now, is_new=is_on)
    if problems:
        raise InvalidRequest(errors=problems)
    return config


async def _find_workflow_problems(
    connection: AsyncConnection, principal: Principal, config: EventConfig
) -> list[Problem]:
    if not isinstance(config.workflow_id, UUID):
        return []
    try:
        await WorkflowService(connection, principal).require(config.workflow_id)
    except NotFound as error:
        return [Problem("/config/workflow_id", "unknown_workflow", error.detail)]
    return []


def _decode(raw: msgspec.Raw, target: Any) -> Any:
    try:
        return decode_body(bytes(raw), target)
    except InvalidRequest as error:
        elsewhere = {f"/{name}": why for name, why in _ELSEWHERE[target].items()}
        problems = [
            Problem("/config" + fault.pointer, fault.code, elsewhere.get(fault.pointer, fault.message))
            if fault.code == "unknown_field"
            else Problem("/config" + fault.pointer, fault.code, fault.message)
            for fault in error.errors
        ]
        raise InvalidRequest(errors=problems) from None
