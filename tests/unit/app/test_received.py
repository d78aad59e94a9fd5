"""What is masked of the payloads that a builder is shown."""

import pytest

from app.triggers.received import MASK, redact

SECRETS = (
    "password Passwd user_pwd passcode client_secret x-gitlab-token apiKey api-key access_key AuthKey signing_key "
    "session_id set-cookie jwt bearer x-hub-signature-256 credentials"
)


@pytest.mark.parametrize("name", SECRETS.split())
def test_what_has_the_name_of_a_secret_is_masked(name: str) -> None:
    assert redact({"a": [{name: "hunter2"}, {name: ["k"]}]}) == {"a": [{name: MASK}, {name: MASK}]}
    # That there is none is no secret.
    assert redact({name: None}) == {name: None}


@pytest.mark.parametrize("name", ["key", "pass_through", "name", "author", "session", "keyword", "id"])
def test_what_has_another_name_is_shown(name: str) -> None:
    assert redact({name: "7"}) == {name: "7"}
