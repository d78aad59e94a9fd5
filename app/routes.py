"""The API's table of contents."""

from litestar import Router
from litestar.types import ControllerRouterHandler

from app.api_keys.controllers import ApiKeyController
from app.approvals.controllers import ApprovalController
from app.audit.controllers import AuditController
from app.auth.controllers import AuthController, SetupController
from app.auth.guards import authenticate
from app.auth.oidc.controllers import OidcController
from app.connections.controllers import ConnectionController
from app.control.controllers import ControlController
from app.health.controllers import HealthController, get_metrics
from app.members.controllers import InvitationController, MemberController, leave_workspace
from app.openapi import get_openapi
from app.operations.controllers import get_operations
from app.query_parameters import refuse_unknown_parameters
from app.receipts.controllers import ReceiptController
from app.reference.controllers import get_reference, get_reference_style
from app.runs.controllers import RunController, RunStartController, stream_workspace
from app.stats.controllers import get_limits, get_stats
from app.step_types.controllers import list_step_types
from app.transfer.controllers import TransferController
from app.trials.controllers import TrialController, evaluate_expression
from app.triggers.controllers import TriggerController, WorkflowTriggerController, take_webhook
from app.triggers.previews import preview_schedule
from app.variables.controllers import VariableController
from app.workflows.controllers import WorkflowController
from app.workspaces.controllers import WorkspaceController


def make_routes() -> list[ControllerRouterHandler]:
    """Everything that is served. Below `/v1` nothing is open but what says `public=True`."""
    return [
        Router(
            "/v1",
            guards=[authenticate, refuse_unknown_parameters],
            route_handlers=[
                SetupController,
                AuthController,
                OidcController,
                ApiKeyController,
                WorkspaceController,
                MemberController,
                InvitationController,
                leave_workspace,
                WorkflowController,
                TransferController,
                list_step_types,
                RunStartController,
                RunController,
                ControlController,
                ApprovalController,
                stream_workspace,
                TrialController,
                evaluate_expression,
                WorkflowTriggerController,
                TriggerController,
                preview_schedule,
                take_webhook,
                ReceiptController,
                VariableController,
                ConnectionController,
                AuditController,
                get_stats,
                get_limits,
                get_operations,
            ],
        ),
        HealthController,
        get_metrics,
        get_openapi,
        get_reference,
        get_reference_style,
    ]
