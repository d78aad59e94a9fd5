"""What the API answers when it cannot do what was asked: one tree, drawn here, each leaf with its status and code.

A class's docstring is the detail that the caller reads, unless the place that raises says more.
    ApiError
    ├── BadRequest 400
    │   ├── InvalidRequest            invalid_request: the body or a parameter breaks its schema; lists every fault
    │   ├── MalformedBody             malformed_body: the body is no JSON, no UTF-8, nested too deeply, or too wide
    │   ├── InvalidYaml               invalid_yaml: tells line and column
    │   ├── InvalidCursor             invalid_cursor
    │   └── InvalidIdempotencyKey     invalid_idempotency_key
    ├── Unauthenticated 401
    │   ├── MissingToken              missing_token
    │   ├── InvalidToken              invalid_token: malformed, expired, or its session has ended
    │   ├── InvalidCredentials        invalid_credentials
    │   ├── InvalidSignature          invalid_signature: of a webhook
    │   └── InvalidRefreshToken       invalid_refresh_token
    ├── Forbidden 403
    │   ├── MissingPermission         missing_permission
    │   └── InvalidSetupToken         invalid_setup_token
    ├── NotFound 404                  not_found; also what another workspace owns
    ├── Conflict 409
    │   ├── SetupDone, NotPublished   setup_done; not_published
    │   ├── NoSession                 no_session: an API key has no sign-ins
    │   ├── AlreadyMember, LastOwner, LastSignIn (app/auth/oidc/errors.py)   already_member; last_owner; last_sign_in
    │   ├── RunFinished, RunUnfinished, RunNotRetryable   run_finished; run_unfinished; run_not_retryable
    │   ├── TooManySignals            too_many_signals
    │   ├── ApprovalDecided           approval_decided
    │   ├── WorkflowChanged, AmbiguousName   workflow_changed; ambiguous_name
    │   ├── NameTaken, ConnectionInUse, NotSignedInFor, ConnectionSealed   in app/connections/errors.py
    │   ├── IdempotencyKeyReused      idempotency_key_reused
    │   └── IdempotencyInProgress     idempotency_in_progress
    ├── InvitationGone 410            invitation_gone
    ├── PreconditionFailed 412        stale_etag
    ├── PayloadTooLarge 413           payload_too_large
    ├── UnsupportedMediaType 415      unsupported_media_type
    ├── InvalidDefinition 422         invalid_definition; lists every fault
    ├── InvalidTest 422               invalid_test: what a test was given does not fit its steps; lists every fault
    ├── ExpressionRefused 422         expression_error: it cannot be read or evaluated; tells where and why
    ├── PreconditionRequired 428      if_match_required
    ├── TooManyRequests 429           too_many_requests
    │   └── TooManyHeld               too_many_held: of a hook whose events wait
    ├── RunNotSucceeded 502           run_failed: of a hook whose caller waits for the run
    ├── AnswerTimeout 504             answer_timeout: nothing was answered in time, and the run goes on
    └── Unavailable 503
        ├── DatabaseUnavailable       database_unavailable
        ├── DatabaseNotMigrated       database_not_migrated
        ├── RedisUnavailable          redis_unavailable
        └── Busy                      busy
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from engine.core.problems import Problem


class ApiError(Exception):
    """The request could not be answered."""

    status: int = 500
    code: str = "internal_error"

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Sequence[Problem] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        """`errors` lists single faults, `members` are further members of the problem document."""
        self.detail = detail or (type(self).__doc__ or "").strip()
        self.errors = errors
        self.headers, self.members = dict(headers or {}), dict(members or {})
        super().__init__(self.detail)


class BadRequest(ApiError):
    """The request cannot be understood."""

    status = 400
    code = "bad_request"


class InvalidRequest(BadRequest):
    """The request breaks the schema of this call; `errors` lists where and how."""

    code = "invalid_request"


class MalformedBody(BadRequest):
    """The body is no valid JSON."""

    code = "malformed_body"


class InvalidYaml(BadRequest):
    """The body is no YAML that is read here; `line` and `column` tell where."""

    code = "invalid_yaml"


class InvalidCursor(BadRequest):
    """The cursor is none that this list gave out. Leave it away to start from the beginning."""

    code = "invalid_cursor"


class InvalidIdempotencyKey(BadRequest):
    """An Idempotency-Key has 1 to 255 printable ASCII characters."""

    code = "invalid_idempotency_key"


class Unauthenticated(ApiError):
    """Sign in first."""

    status = 401
    code = "unauthenticated"
    challenge: ClassVar[str] = "Bearer"

    def __init__(self, detail: str | None = None) -> None:
        """The answer names the scheme that this API asks for."""
        super().__init__(detail, headers={"www-authenticate": self.challenge})


class MissingToken(Unauthenticated):
    """Send `Authorization: Bearer <access token>`."""

    code = "missing_token"


class InvalidToken(Unauthenticated):
    """The access token is malformed or expired, or its session has ended. Refresh it or sign in again."""

    code = "invalid_token"
    challenge = 'Bearer error="invalid_token"'


class InvalidCredentials(Unauthenticated):
    """The email or the password is wrong."""

    code = "invalid_credentials"


class InvalidSignature(ApiError):
    """The request is not signed with the trigger's secret, its signature is too old, or its credentials are wrong."""

    status = 401
    code = "invalid_signature"


class InvalidRefreshToken(Unauthenticated):
    """The refresh token is unknown, expired or used up. Sign in again."""

    code = "invalid_refresh_token"


class Forbidden(ApiError):
    """You may not do this."""

    status = 403
    code = "forbidden"


class MissingPermission(Forbidden):
    """Your role in this workspace does not hold the permission for this call."""

    code = "missing_permission"

    def __init__(self, detail: str | None = None, *, permission: str | None = None) -> None:
        """`permission` is the one that the caller's role lacks; None where something else decides."""
        super().__init__(detail)
        self.permission = permission


class InvalidSetupToken(Forbidden):
    """The first set-up needs the one-time token that `./flowforge up` prints, as `setup_token`."""

    code = "invalid_setup_token"


class NotFound(ApiError):
    """There is nothing here that you can see."""

    status = 404
    code = "not_found"


class Conflict(ApiError):
    """The state of things does not allow this."""

    status = 409
    code = "conflict"


class NotPublished(Conflict):
    """The workflow was never published. Publish it first."""

    code = "not_published"


class NoSession(Conflict):
    """An API key has no session to end. Revoke the key instead."""

    code = "no_session"


class AlreadyMember(Conflict):
    """Who has this email is a member already. Change their role instead."""

    code = "already_member"


class LastOwner(Conflict):
    """A workspace has an owner at all times. Make another member an owner first."""

    code = "last_owner"


class RunFinished(Conflict):
    """The run has ended."""

    code = "run_finished"


class RunUnfinished(Conflict):
    """The run has not ended."""

    code = "run_unfinished"


class RunNotRetryable(Conflict):
    """Only a run that failed, timed out or was cancelled can be retried."""

    code = "run_not_retryable"


class TooManySignals(Conflict):
    """The run has been sent as much by signals as it takes."""

    code = "too_many_signals"


class ApprovalDecided(Conflict):
    """The approval is decided already, or its run does not wait for it any more."""

    code = "approval_decided"


class WorkflowChanged(Conflict):
    """The workflow was changed at the same moment. Try again."""

    code = "workflow_changed"


class AmbiguousName(Conflict):
    """Several workflows have this name."""

    code = "ambiguous_name"


class SetupDone(Conflict):
    """FlowForge is set up already. Sign in instead."""

    code = "setup_done"


class IdempotencyKeyReused(Conflict):
    """The Idempotency-Key came before with another request. Use a new key for a new request."""

    code = "idempotency_key_reused"


class IdempotencyInProgress(Conflict):
    """A request with this Idempotency-Key is still being answered. Try again shortly."""

    code = "idempotency_in_progress"


class RunNotSucceeded(ApiError):
    """The run failed before it answered."""

    status = 502
    code = "run_failed"


class AnswerTimeout(ApiError):
    """The run has not answered in time. It goes on; `run_id` names it."""

    status = 504
    code = "answer_timeout"


class InvitationGone(ApiError):
    """The invitation is unknown, expired, used up or was taken back. Ask for another one."""

    status = 410
    code = "invitation_gone"


class PreconditionFailed(ApiError):
    """Someone has changed it since you read it. Read it again, or send the current ETag to overwrite."""

    status = 412
    code = "stale_etag"


class PayloadTooLarge(ApiError):
    """The body is larger than this call takes."""

    status = 413
    code = "payload_too_large"


class UnsupportedMediaType(ApiError):
    """Send the body as `Content-Type: application/json`, without Content-Encoding."""

    status = 415
    code = "unsupported_media_type"


class InvalidDefinition(ApiError):
    """The definition has faults; `errors` lists all of them."""

    status = 422
    code = "invalid_definition"


class InvalidTest(ApiError):
    """What the test was given does not fit its steps; `errors` lists where and how."""

    status = 422
    code = "invalid_test"


class ExpressionRefused(ApiError):
    """The expression cannot be read or evaluated."""

    status = 422
    code = "expression_error"


class PreconditionRequired(ApiError):
    """Send `If-Match` with the ETag that you read, so that nobody's changes are lost."""

    status = 428
    code = "if_match_required"


class TooManyRequests(ApiError):
    """Too many requests. Wait as long as Retry-After says."""

    status = 429
    code = "too_many_requests"

    def __init__(self, detail: str | None = None, *, retry_after: int) -> None:
        """`retry_after` is in seconds."""
        super().__init__(detail, headers={"retry-after": str(max(1, retry_after))})


class TooManyHeld(TooManyRequests):
    """As many events of this trigger wait as may. Send it again once some of them have started."""

    code = "too_many_held"


class Unavailable(ApiError):
    """A part that this call needs is not available. Try again shortly."""

    status = 503
    code = "unavailable"

    def __init__(self, detail: str | None = None, *, retry_after: int = 1) -> None:
        """`retry_after` is in seconds."""
        super().__init__(detail, headers={"retry-after": str(retry_after)})


class DatabaseUnavailable(Unavailable):
    """The database does not answer. Nothing was changed, or it is not known whether; try again shortly."""

    code = "database_unavailable"


class DatabaseNotMigrated(Unavailable):
    """The database is not at this version's revision. Run `./flowforge migrate`."""

    code = "database_not_migrated"


class RedisUnavailable(Unavailable):
    """Redis does not answer. Try again shortly."""

    code = "redis_unavailable"


class Busy(Unavailable):
    """The server has more of this work than it can take. Try again shortly."""

    code = "busy"
