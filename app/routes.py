"""The API's table of contents."""

from litestar import Router
from litestar.types import ControllerRouterHandler

from app.auth.controllers import AuthController, SetupController
from app.auth.guards import authenticate
from app.health.controllers import HealthController, get_metrics
from app.openapi import get_openapi
from app.workflows.controllers import WorkflowController


def make_routes() -> list[ControllerRouterHandler]:
    """Everything that is served. Below `/v1` nothing is open but what says `public=True`."""
    return [
        Router(
            "/v1",
            guards=[authenticate],
            route_handlers=[
                SetupController,
                AuthController,
                WorkflowController,
            ],
        ),
        HealthController,
        get_metrics,
        get_openapi,
    ]
