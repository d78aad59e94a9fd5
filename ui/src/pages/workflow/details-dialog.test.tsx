import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/react";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { useSession } from "@/lib/session";
import type { Detail } from "./api";
import { DetailsButton } from "./details-dialog";

const PATIENCE = { timeout: 20_000 };
const OPENED = { id: "01a21a4f-3d41-7000-8000-000000000001", name: "Orders", description: "Packs.", revision: 3 } as Detail;

/** A server with one workflow, which takes a change of the revision alone that it has. */
let kept: Pick<Detail, "name" | "description" | "revision">;
let refusal: object | undefined;

const answer = (status: number, document: object) =>
  new Response(JSON.stringify(document), { status, headers: { "content-type": "application/json" } });

beforeEach(() => {
  kept = OPENED;
  refusal = undefined;
  useSession.setState({ status: "anonymous" });
  vi.stubGlobal("fetch", async (request: Request) => {
    if (request.method === "PATCH") {
      if (refusal !== undefined) return answer(400, refusal);
      if (request.headers.get("if-match") !== `"${kept.revision}"`) return answer(412, { code: "stale", detail: "It is another one by now." });
      kept = { ...kept, ...((await request.json()) as object), revision: kept.revision + 1 };
    }
    return answer(200, { ...OPENED, ...kept, definition: {} });
  });
  render(
    <QueryClientProvider client={new QueryClient()}>
      <DetailsButton detail={OPENED} />
    </QueryClientProvider>,
  );
  fireEvent.click(screen.getByRole("button", { name: "Rename or describe" }));
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

function write(name: string, description: string): void {
  fireEvent.change(screen.getByLabelText("Name"), { target: { value: name } });
  fireEvent.change(screen.getByLabelText("Description"), { target: { value: description } });
}
const save = () => fireEvent.click(screen.getByRole("button", { name: "Save" }));
const closed = () => waitFor(() => expect(screen.queryByRole("dialog")).toBeNull(), PATIENCE);

it("a workflow gets another name and description", async () => {
  write("  All orders ", "Packs,\nand tells the customer.");
  save();
  await closed();
  expect(kept).toEqual({ ...OPENED, name: "All orders", description: "Packs,\nand tells the customer.", revision: 4 });
});

it("where only the definition was changed meanwhile, nobody is asked", async () => {
  kept = { ...OPENED, revision: 8 };
  write("All orders", "Packs.");
  save();
  await closed();
  expect([kept.name, kept.revision]).toEqual(["All orders", 9]);
});

it("what somebody else called it meanwhile is written over only by a second press", async () => {
  kept = { ...OPENED, name: "Their orders", revision: 4 };
  write("My orders", "Packs.");
  save();
  await screen.findByText(/^Somebody has changed these meanwhile: it is called “Their orders” now\./, undefined, PATIENCE);
  expect([kept.name, screen.getByLabelText<HTMLInputElement>("Name").value]).toEqual(["Their orders", "My orders"]);
  save();
  await closed();
  expect([kept.name, kept.revision]).toEqual(["My orders", 5]);
});

it("what is wrong with a field stands at the field", async () => {
  refusal = { code: "invalid", detail: "It is no name.", errors: [{ pointer: "/name", code: "pattern", message: "has letters that nobody sees" }] };
  write("\u0007", "Packs.");
  save();
  expect(await screen.findByText("Has letters that nobody sees", undefined, PATIENCE)).toBeTruthy();
  expect(screen.getByLabelText("Name").getAttribute("aria-invalid")).toBe("true");
});
