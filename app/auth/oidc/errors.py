"""Why a sign-in through the provider comes to nothing: what the sign-in page is told, and what the log is told."""

from enum import StrEnum
from uuid import UUID

from app.errors import Conflict, Unavailable


class Failure(StrEnum):
    """The stable codes that the sign-in page gets as `error`."""

    # Nothing is wrong with whoever signs in.
    NOT_CONFIGURED = "oidc_not_configured"
    PROVIDER_UNAVAILABLE = "oidc_provider_unavailable"
    PROVIDER_INVALID = "oidc_provider_invalid"
    SETUP_NEEDED = "oidc_setup_needed"
    # What came back does not belong to what was begun.
    FLOW_MISSING = "oidc_flow_missing"
    STATE_MISMATCH = "oidc_state_mismatch"
    FLOW_USED = "oidc_flow_used"
    # The provider, or what it says, lets nobody in.
    DENIED = "oidc_denied"
    CODE_REFUSED = "oidc_code_refused"
    ID_TOKEN_INVALID = "oidc_id_token_invalid"  # noqa: S105 - the name of a failure
    # Who they are is known, and does not do here.
    EMAIL_MISSING = "oidc_email_missing"
    EMAIL_UNVERIFIED = "oidc_email_unverified"
    DOMAIN_REFUSED = "oidc_domain_refused"
    ACCOUNT_EXISTS = "oidc_account_exists"
    NO_ACCOUNT = "oidc_no_account"
    NO_ROLE = "oidc_no_role"
    NO_ACCESS = "oidc_no_access"
    IDENTITY_TAKEN = "oidc_identity_taken"
    OTHER_EMAIL = "oidc_other_email"
    INVITATION_GONE = "invitation_gone"


# Of these nothing follows about whoever signs in: they do not count as failed tries.
OF_THE_PROVIDER = frozenset({Failure.PROVIDER_UNAVAILABLE, Failure.PROVIDER_INVALID})


class LastSignIn(Conflict):
    """The account has no password: without this identity nobody could sign in to it any more."""

    code = "last_sign_in"


class ProviderUnavailable(Unavailable):
    """The provider of sign-ins does not answer, or not as one does. Try again shortly."""

    code = "oidc_provider_unavailable"


class SignInFailed(Exception):
    """A sign-in came to nothing. `reason` is for the log alone, and holds no secret and no token.

    `user_id` is whom it concerns, where that is beyond doubt.
    """

    def __init__(self, failure: Failure, reason: str = "", user_id: UUID | None = None) -> None:
        super().__init__(f"{failure.value}: {reason}" if reason else failure.value)
        self.failure = failure
        self.reason = reason
        self.user_id = user_id
