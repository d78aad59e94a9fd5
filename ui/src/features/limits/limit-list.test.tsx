import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import type { Limits } from "./api";
import { LimitList } from "./limit-list";

afterEach(cleanup);

const HOOKS: Limits["hooks"] = { workspace_per_minute: 6000, address_per_minute: null, max_body_bytes: 1_048_576, held_events_per_trigger: null };

it.each([
  ["Calls of all hooks of a workspace", "6,000 a minute", "FLOWFORGE_HOOK_WORKSPACE_PER_MINUTE"],
  ["Calls of hooks from one address", "no limit", "FLOWFORGE_HOOK_ADDRESS_PER_MINUTE"],
  ["Largest body of a hook", "1 MiB", "FLOWFORGE_HOOK_MAX_BODY"],
  ["Events of one trigger that may wait", "no limit", "FLOWFORGE_HELD_EVENTS_PER_TRIGGER"],
])("of the limit “%s” one reads %s, and that %s changes it", (name, value, setting) => {
  render(<LimitList limits={{ hooks: HOOKS }} />);
  const line = screen.getByText(name).closest("div");
  expect(line?.textContent).toBe(`${name}${setting}${value}`);
});
