"""What the workspace calls do."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from app.audit.entries import Act, Action, Target
from app.audit.trail import enter, enter_of
from app.auth import repository as identities
from app.auth.permissions import Role
from app.auth.principal import Principal
from app.errors import MissingPermission, NotFound
from app.workspaces import repository
from app.workspaces.schemas import MyWorkspace, MyWorkspaces, NewWorkspace, WorkspaceChange
from engine.infra.ids import new_id


class WorkspaceService:
    """The workspaces of a user, in the request's transaction. An API key sees the one that it was made in."""

    def __init__(self, connection: AsyncConnection, principal: Principal) -> None:
        self._connection = connection
        self._principal = principal

    async def list_all(self) -> MyWorkspaces:
        """Those that the caller can act in."""
        rows = await repository.list_workspaces(self._connection, self._principal.user_id)
        mine = [self._show(row) for row in rows]
        if self._principal.api_key_id is not None:
            mine = [item for item in mine if item.is_current]
        return MyWorkspaces(items=mine)

    async def create(self, new: NewWorkspace) -> MyWorkspace:
        """Make a workspace, whose owner the caller is. Raises MissingPermission for API keys."""
        if self._principal.api_key_id is not None:
            raise MissingPermission("An API key belongs to one workspace and makes no other. Sign in instead.")
        workspace_id = new_id()
        await identities.insert_workspace(self._connection, workspace_id, new.name)
        await identities.insert_membership(self._connection, workspace_id, self._principal.user_id, Role.OWNER.value)
        rows = await repository.list_workspaces(self._connection, self._principal.user_id)
        made = Act(
            action=Action.WORKSPACE_CREATED, target=Target(type="workspace", id=str(workspace_id), name=new.name)
        )
        await enter_of(self._connection, workspace_id, self._principal.user_id, made)
        return next(self._show(row) for row in rows if row.id == workspace_id)

    async def change(self, workspace_id: UUID, change: WorkspaceChange) -> MyWorkspace:
        """Rename the workspace that the caller acts in. Raises NotFound for any other."""
        if workspace_id != self._principal.workspace_id:
            raise NotFound
        before = await repository.rename_workspace(self._connection, workspace_id, change.name)
        if before != change.name:
            target = Target(type="workspace", id=str(workspace_id), name=change.name)
            renamed = Act(
                action=Action.WORKSPACE_RENAMED, target=target, before={"name": before}, after={"name": change.name}
            )
            await enter(self._connection, self._principal, renamed)
        rows = await repository.list_workspaces(self._connection, self._principal.user_id)
        return next(self._show(row) for row in rows if row.id == workspace_id)

    def _show(self, row: Any) -> MyWorkspace:
        return MyWorkspace(
            id=row.id,
            name=row.name,
            role=Role(row.role),
            created_at=row.created_at,
            is_current=row.id == self._principal.workspace_id,
        )
