"""Limits of hooks per trigger, workspace and address, with and without Redis; what is refused is told and kept."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import cycle
from typing import Any

import httpx
import msgspec
import pytest
from redis.asyncio import Redis

from app.auth.permissions import Role
from app.triggers import rejections
from engine.infra.rate_limiter import WINDOW_SECONDS, Limit, RateLimiter
from engine.infra.redis import create_redis
from engine.infra.settings import Settings
from tests.integration.api.callers import Api, Caller, running
from tests.integration.api.hooks import Hook, open_hook, read_ingest


async def post_many(hook: Hook, count: int) -> list[httpx.Response]:
    return list(await asyncio.gather(*(hook.post({"n": n}) for n in range(count))))


async def post_until_refused(post: Callable[[], Awaitable[httpx.Response]]) -> tuple[list[int], httpx.Response]:
    """The statuses before a limit was reached, and the answer that says so. A slow machine gets more through."""
    statuses: list[int] = []
    while (answer := await post()).status_code != httpx.codes.TOO_MANY_REQUESTS:
        statuses.append(answer.status_code)
        assert len(statuses) < 50, "no limit is reached"
    return statuses, answer


async def wait_for_rejected(owner: Caller, count: int) -> None:
    async with asyncio.timeout(60):
        while (await read_ingest(owner))["rejected"] < count:
            await asyncio.sleep(0.05)


async def test_without_limits_nothing_is_told_and_redis_is_not_asked(api: Api, owner: Caller) -> None:
    hook = await open_hook(api, owner)
    redis: Redis = api.app.state.redis
    await redis.config_resetstat()
    answer = await hook.post()
    assert answer.status_code == httpx.codes.ACCEPTED
    assert not {"ratelimit", "ratelimit-policy", "retry-after"} & set(answer.headers)
    assert "cmdstat_evalsha" not in await redis.info("commandstats")


async def test_a_trigger_takes_a_burst_of_its_limit_and_then_says_when_to_come_back(api: Api, owner: Caller) -> None:
    # So few a minute that none of them comes back while the test goes on.
    hook = await open_hook(api, owner, {"rate_limit": {"per_minute": 2}})
    first = await hook.post()
    assert first.status_code == httpx.codes.ACCEPTED
    assert first.headers["ratelimit-policy"] == f'"trigger";q=2;w={WINDOW_SECONDS}'
    assert first.headers["ratelimit"] == '"trigger";r=1;t=30'
    statuses, refused = await post_until_refused(hook.post)
    assert set(statuses) == {202}
    assert refused.json()["code"] == "too_many_requests"
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    assert refused.headers["ratelimit"].startswith('"trigger";r=0;t=')
    assert (await read_ingest(owner))["accepted"] == 1 + len(statuses)


async def test_of_many_at_once_just_the_limit_gets_through(api: Api, owner: Caller) -> None:
    hook = await open_hook(api, owner, {"rate_limit": {"per_minute": 2}})
    statuses = sorted(answer.status_code for answer in await post_many(hook, 20))
    # A minute lets two more through; a machine may take a part of it for this.
    assert statuses[:2] == [202, 202]
    assert statuses.count(429) >= 16


async def test_only_what_is_authentic_counts_against_a_trigger(api: Api, owner: Caller) -> None:
    config = {"auth": {"type": "bearer", "secret": "a-secret-of-some-length"}, "rate_limit": {"per_minute": 1}}
    hook = await open_hook(api, owner, config)
    for _ in range(3):
        assert (await hook.post()).status_code == httpx.codes.UNAUTHORIZED
    answer = await hook.post(authorization="Bearer a-secret-of-some-length")
    assert answer.status_code == httpx.codes.ACCEPTED


@pytest.fixture
async def limited(settings: Settings, clean_database: str, clean_redis: str) -> AsyncIterator[Api]:
    """The API with limits for workspaces and addresses."""
    bound = msgspec.structs.replace(settings, hook_workspace_per_minute=3, hook_address_per_minute=4)
    async with running(bound) as opened:
        yield opened


async def test_a_workspace_is_limited_over_all_its_triggers_and_others_are_not(limited: Api) -> None:
    owner, other = await limited.sign_in(), await limited.sign_in(Role.OWNER)
    hooks = [await open_hook(limited, owner) for _ in range(2)]
    turns = cycle(hooks)
    statuses, _ = await post_until_refused(lambda: next(turns).post())
    assert len(statuses) >= 3
    assert set(statuses) == {202}
    answer = await (await open_hook(limited, other)).post()
    assert answer.status_code == httpx.codes.ACCEPTED
    assert answer.headers["ratelimit-policy"] == '"workspace";q=3;w=60, "address";q=4;w=60'


async def test_an_address_is_limited_whatever_it_calls(limited: Api) -> None:
    owner = await limited.sign_in()
    hook = await open_hook(limited, owner)
    stranger, sibling = limited.client(address="2001:db8::1"), limited.client(address="2001:db8::2")
    turns = cycle([stranger, sibling])
    statuses, _ = await post_until_refused(lambda: next(turns).post("/v1/hooks/unknown"))
    assert len(statuses) >= 4
    assert set(statuses) == {404}
    await post_until_refused(lambda: stranger.post(hook.path))
    assert (await limited.client(address="2001:db8:0:1::1").post(hook.path)).status_code == httpx.codes.ACCEPTED


async def test_bodies_that_are_too_large_count_against_their_address(limited: Api) -> None:
    hook = await open_hook(limited, await limited.sign_in())
    stranger = limited.client(address="203.0.113.9")
    statuses, _ = await post_until_refused(lambda: stranger.post(hook.path, content=b"x" * 1_100_000))
    assert len(statuses) >= 4
    assert set(statuses) == {413}


@pytest.mark.parametrize(
    ("config", "status"),
    [
        pytest.param({"dedup_key": "trigger.body.id + 1"}, 400, id="an expression that fails"),
        pytest.param({"respond": "sync", "respond_timeout": 0.01}, 504, id="a run that does not answer"),
        pytest.param({"filter": "false"}, 202, id="a filter"),
    ],
)
async def test_every_answer_to_a_call_that_was_counted_tells_how_its_limit_stands(
    api: Api, owner: Caller, config: dict[str, Any], status: int
) -> None:
    hook = await open_hook(api, owner, {"rate_limit": {"per_minute": 700}, **config})
    answer = await hook.post({"id": "seven"})
    assert answer.status_code == status, answer.text
    assert answer.headers["ratelimit-policy"] == '"trigger";q=700;w=60'
    assert answer.headers["ratelimit"].startswith('"trigger";r=69')


async def test_a_trigger_that_holds_as_much_as_it_may_tells_how_its_limit_stands(
    settings: Settings, clean_database: str, clean_redis: str
) -> None:
    async with running(msgspec.structs.replace(settings, held_events_per_trigger=1)) as api:
        config = {"rate_limit": {"per_minute": 700}, "debounce": {"period": 3600}}
        hook = await open_hook(api, await api.sign_in(), config)
        _, refused = await post_until_refused(hook.post)
    assert refused.json()["code"] == "too_many_held"
    assert refused.headers["ratelimit-policy"] == '"trigger";q=700;w=60'


@pytest.mark.parametrize(
    "rate_limit", [{}, {"per_minute": 0}, {"per_minute": 1.5}, {"per_minute": 2_000_000}, {"per_hour": 1}], ids=str
)
async def test_a_limit_that_is_none_is_refused(api: Api, owner: Caller, rate_limit: dict[str, Any]) -> None:
    hook = await open_hook(api, owner)
    config = {"rate_limit": rate_limit}
    answer = await owner.client.patch(f"/v1/triggers/{hook.trigger_id}", json={"config": config})
    assert answer.status_code == httpx.codes.BAD_REQUEST, answer.text
    assert answer.json()["errors"][0]["pointer"].startswith("/config/rate_limit")


async def test_limits_are_shown(limited: Api) -> None:
    owner = await limited.sign_in()
    hook = await open_hook(limited, owner, {"rate_limit": {"per_minute": 2}})
    answer = await owner.client.get(f"/v1/workflows/{hook.workflow_id}/triggers")
    assert answer.json()["items"][0]["config"]["rate_limit"] == {"per_minute": 2}
    limits = (await owner.client.get("/v1/limits")).raise_for_status().json()
    assert limits["hooks"] == {
        "workspace_per_minute": 3,
        "address_per_minute": 4,
        "max_body_bytes": 1_048_576,
        "held_events_per_trigger": 100_000,
    }


async def test_rejected_calls_are_counted_and_a_few_of_them_are_kept_with_their_reason(
    api: Api, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejections, "INTERVAL_SECONDS", 0.01)
    config = {"auth": {"type": "bearer", "secret": "a-secret-of-some-length"}, "rate_limit": {"per_minute": 1}}
    hook = await open_hook(api, owner, config)
    for _ in range(2):
        await hook.post({"card": "4111"}, authorization="Bearer a wrong one")
    for _ in range(2):
        await hook.post(authorization="Bearer a-secret-of-some-length")
    assert (await hook.post("x" * 1_100_000)).status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
    await wait_for_rejected(owner, 4)
    ingest = await read_ingest(owner)
    assert (ingest["accepted"], ingest["rejected"], ingest["drift"]) == (1, 4, 0)
    listed = (await owner.client.get("/v1/events", params={"outcome": "rejected"})).json()["items"]
    assert sorted(item["reason"] for item in listed) == [
        "invalid_signature",
        "invalid_signature",
        "payload_too_large",
        "too_many_requests",
    ]
    assert {item["run_id"] for item in listed} == {None}
    one = (await owner.client.get(f"/v1/events/{listed[0]['id']}")).json()
    assert one == listed[0]


async def test_the_log_of_rejected_calls_is_bounded_and_their_count_is_not(
    api: Api, owner: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejections, "INTERVAL_SECONDS", 0.01)
    hook = await open_hook(api, owner, {"dedup_key": "trigger.body.id + 1"})
    for total in range(50, 301, 50):
        for answer in await post_many(hook, 50):
            assert answer.status_code == httpx.codes.BAD_REQUEST
        await wait_for_rejected(owner, total)
    assert (await read_ingest(owner))["rejected"] == 300
    page = (await owner.client.get("/v1/events", params={"outcome": "rejected", "limit": 200})).json()
    assert 1 <= len(page["items"]) <= 100


LIMITS = [Limit("trigger", "trigger:a", 3), Limit("workspace", "workspace:b", 5)]


@pytest.fixture
async def redis(settings: Settings, clean_redis: str) -> AsyncIterator[Redis]:
    client = create_redis(settings, name="test")
    yield client
    await client.aclose()


@pytest.fixture(params=["in Redis", "in memory"])
async def limiter(request: pytest.FixtureRequest, redis: Redis) -> RateLimiter:
    """Both ways of counting."""
    made = RateLimiter(redis)
    if request.param == "in memory":
        made._away_until = float("inf")
    return made


async def test_both_ways_count_alike(limiter: RateLimiter) -> None:
    verdicts = [await limiter.admit(LIMITS) for _ in range(4)]
    assert [verdict.is_admitted for verdict in verdicts] == [True, True, True, False]
    assert [[standing.remaining for standing in verdict.standings] for verdict in verdicts[:3]] == [
        [2, 4],
        [1, 3],
        [0, 2],
    ]
    # The call that the first limit refused is not counted by the second.
    assert verdicts[3].standings[1].remaining >= 2
    assert 1 <= verdicts[3].retry_after <= 20


@pytest.mark.parametrize("count", [1, 7, 600, 7999, 1_000_000])
async def test_a_burst_is_of_the_limit_exactly(limiter: RateLimiter, count: int) -> None:
    limit = Limit("trigger", "trigger:n", count)
    verdict = await limiter.admit([limit])
    assert verdict.is_admitted
    (standing,) = verdict.standings
    assert standing.remaining in range(count - 1, count)
    assert standing.reset == pytest.approx(60 / count, abs=1)


async def test_counting_goes_on_from_where_it_was_when_redis_goes_away(redis: Redis) -> None:
    limiter = RateLimiter(redis)
    for _ in range(3):
        assert (await limiter.admit(LIMITS)).is_admitted
    limiter._away_until = float("inf")
    assert not (await limiter.admit(LIMITS)).is_admitted


async def test_without_redis_limits_hold_in_memory(settings: Settings) -> None:
    nowhere = create_redis(msgspec.structs.replace(settings, redis_url="redis://127.0.0.1:1/0"), retries=0)
    limiter = RateLimiter(nowhere)
    verdicts = [await limiter.admit(LIMITS) for _ in range(4)]
    assert [verdict.is_admitted for verdict in verdicts] == [True, True, True, False]
    await nowhere.aclose()


async def test_what_was_counted_is_forgotten_once_it_counts_no_more(redis: Redis) -> None:
    limiter = RateLimiter(redis)
    await limiter.admit(LIMITS)
    for limit, seconds in zip(LIMITS, (20, 12), strict=True):
        assert 0 < await redis.pttl("ff:limit:" + limit.key) <= seconds * 1000 + 1
