import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import type { Trigger } from "@/features/triggers/trigger";
import { meQuery } from "@/lib/me";
import { NeededSecret } from "./trigger-secret";

afterEach(cleanup);

const LACKING = { id: "t", workflow_id: "w", type: "webhook", needs_secret: true, has_secret: false, config: { auth: { type: "token" } } } as unknown as Trigger;

it("a secret that is typed stays where somebody else has given one meanwhile, which is told", () => {
  const client = new QueryClient({ defaultOptions: { queries: { enabled: false } } });
  client.setQueryData(meQuery.queryKey, { permissions: ["triggers:write"] } as never);
  const page = (trigger: Trigger) => (
    <QueryClientProvider client={client}>
      <NeededSecret trigger={trigger} />
    </QueryClientProvider>
  );
  const { rerender } = render(page(LACKING));
  fireEvent.click(screen.getByRole("button", { name: "Set the secret" }));
  const field = screen.getByLabelText<HTMLInputElement>(/secret/i);
  fireEvent.change(field, { target: { value: "a secret of my own" } });
  rerender(page({ ...LACKING, needs_secret: false, has_secret: true }));
  expect(screen.getByLabelText<HTMLInputElement>(/secret/i).value).toBe("a secret of my own");
  screen.getByText("It needs a secret no longer: it has been given one meanwhile.");
  fireEvent.click(screen.getByRole("button", { name: "Cancel" }));
  expect(screen.queryByText(/It needs a secret/)).toBeNull();
});
