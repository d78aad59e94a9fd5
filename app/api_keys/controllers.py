"""`/v1/api-keys`."""

from typing import Any
from uuid import UUID

from litestar import Controller, Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Response
from litestar.status_codes import HTTP_201_CREATED
from sqlalchemy.ext.asyncio import AsyncConnection

from app.api_keys.schemas import ApiKeyView, MadeApiKey, NewApiKey
from app.api_keys.service import ApiKeyService
from app.auth.guards import requires
from app.auth.permissions import Permission
from app.auth.principal import Principal
from app.idempotency.service import Answer, answer_once
from app.openapi import problems
from app.pagination import DEFAULT_LIMIT, Cursor, Limit, Page


class ApiKeyController(Controller):
    """Keys that programs sign in with."""

    path = "/api-keys"
    tags = ("api keys",)

    @get(
        operation_id="listApiKeys",
        summary="List API keys",
        guards=[requires(Permission.API_KEYS_WRITE)],
        responses=problems(400),
    )
    async def list_api_keys(
        self,
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
        api_keys: NamedDependency[ApiKeyService],
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
    ) -> Page[ApiKeyView]:
        """The workspace's keys, the newest first. Secrets are never shown again."""
        return await api_keys.list_all(transaction, principal, limit=limit, cursor=cursor)

    @post(
        operation_id="createApiKey",
        summary="Make an API key",
        status_code=HTTP_201_CREATED,
        idempotent=True,
        guards=[requires(Permission.API_KEYS_WRITE)],
        responses=problems(400, 403),
    )
    async def create_api_key(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[NewApiKey],
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
        api_keys: NamedDependency[ApiKeyService],
    ) -> Response[MadeApiKey]:
        """Its secret is shown this once. A key never does more than its maker may do at that moment."""

        async def create() -> Answer:
            return Answer(status=HTTP_201_CREATED, body=await api_keys.create(transaction, principal, data))

        return await answer_once(request, transaction, principal, create, box=api_keys.box)

    @delete(
        "/{key_id:uuid}",
        operation_id="revokeApiKey",
        summary="Revoke an API key",
        guards=[requires(Permission.API_KEYS_WRITE)],
        responses=problems(404),
    )
    async def revoke_api_key(
        self,
        key_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        transaction: NamedDependency[AsyncConnection],
        api_keys: NamedDependency[ApiKeyService],
    ) -> None:
        """It is refused everywhere within 5 seconds."""
        await api_keys.revoke(transaction, principal, key_id)
