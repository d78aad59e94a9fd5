import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { meQuery } from "@/lib/me";
import { Allowed } from "./allowed";

afterEach(cleanup);

const WHY = "It takes an editor to change variables.";

/** As somebody with these permissions sees it; undefined: before it is known who they are. */
function show(permissions: string[] | undefined): void {
  const client = new QueryClient({ defaultOptions: { queries: { enabled: false } } });
  if (permissions !== undefined) client.setQueryData(meQuery.queryKey, { permissions } as never);
  render(
    <QueryClientProvider client={client}>
      <Allowed to="variables:write" why={WHY}>
        <button type="button">New variable</button>
      </Allowed>
    </QueryClientProvider>,
  );
}

it("those who may have the button, and no reason why not", () => {
  show(["variables:write"]);
  expect(screen.getByRole("button", { name: "New variable" })).toBeTruthy();
  expect(screen.queryByText(WHY)).toBeNull();
});

it("those who may not have the reason alone", () => {
  show(["variables:read"]);
  expect(screen.getByText(WHY)).toBeTruthy();
  expect(screen.queryByRole("button")).toBeNull();
});

it("nothing flashes before it is known who they are", () => {
  show(undefined);
  expect(screen.queryByText(WHY)).toBeNull();
  expect(screen.queryByRole("button")).toBeNull();
});
