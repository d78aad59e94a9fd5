import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { TriggerDialog } from "./trigger-dialog";

afterEach(cleanup);

it("what is wrong with further settings is told, and keeps them from being sent; emptied, their field stays", () => {
  render(
    <QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { enabled: false } } })}>
      <TriggerDialog workflowId="w" onClose={() => undefined} />
    </QueryClientProvider>,
  );
  const more = screen.getByLabelText<HTMLTextAreaElement>("More settings");
  const details = more.closest("details") as HTMLDetailsElement;
  const add = screen.getByRole<HTMLButtonElement>("button", { name: "Add it" });
  details.open = true;
  fireEvent.change(more, { target: { value: '{\n  "rate_limit": }' } });
  screen.getByText(/^Line 2: /);
  expect(add.disabled).toBe(true);
  fireEvent.change(more, { target: { value: "" } });
  expect(screen.queryByText(/^Line/)).toBeNull();
  expect([add.disabled, details.open]).toEqual([false, true]);
});
