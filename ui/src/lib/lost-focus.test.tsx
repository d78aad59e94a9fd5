import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, it } from "vitest";
import { focusPage, leadBack, leadTo, passFocus } from "./lost-focus";

afterEach(cleanup);
beforeEach(() => {
  render(
    <main id="main" tabIndex={-1}>
      <button type="button" id="row">
        Row
      </button>
      <div id="graph" role="group" aria-label="Graph" tabIndex={0} />
      <section aria-label="Step">
        <h2 id="told" tabIndex={-1}>
          Told
        </h2>
        <button type="button">Close</button>
      </section>
    </main>,
  );
});

const focused = () => document.activeElement;
const step = () => screen.getByRole("region", { name: "Step" });
const graph = () => screen.getByRole("group", { name: "Graph" });

it("what is closed gives the focus to the first of its heirs that is there", () => {
  const close = screen.getByRole("button", { name: "Close" });
  close.focus();
  passFocus(step(), "#row", "#graph");
  expect(focused()).toBe(screen.getByRole("button", { name: "Row" }));
  close.focus();
  passFocus(step(), "#gone", "#graph");
  expect(focused()).toBe(graph());
});

it("a focus that was lost already is found again", () => {
  passFocus(null, "#row");
  expect(focused()).toBe(screen.getByRole("button", { name: "Row" }));
});

it("whoever is elsewhere stays there", () => {
  graph().focus();
  passFocus(step(), "#row");
  focusPage();
  expect(focused()).toBe(graph());
});

it("a page that has come takes the focus that went with the one before", () => {
  focusPage();
  expect(focused()).toBe(screen.getByRole("main"));
});

it("whoever was led to what is told is led back from anywhere in it, once", () => {
  graph().focus();
  leadTo("told");
  expect(focused()).toBe(screen.getByRole("heading", { name: "Told" }));
  screen.getByRole("button", { name: "Close" }).focus();
  expect(leadBack(step())).toBe(true);
  expect(focused()).toBe(graph());
  expect(leadBack(step())).toBe(false);
});

it("whoever has come otherwise, has gone elsewhere, or would be led to what has gone, is not led back", () => {
  screen.getByRole("button", { name: "Close" }).focus();
  expect(leadBack(step())).toBe(false);
  graph().focus();
  leadTo("told");
  screen.getByRole("main").focus();
  expect(leadBack(step())).toBe(false);
  expect(focused()).toBe(screen.getByRole("main"));
  const row = screen.getByRole("button", { name: "Row" });
  row.focus();
  leadTo("told");
  row.remove();
  expect(leadBack(step())).toBe(false);
  leadTo("gone");
  expect(focused()).toBe(screen.getByRole("heading", { name: "Told" }));
});
