import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, it } from "vitest";
import { Choices, SelectField } from "./select-field";

afterEach(cleanup);

function show(chosen: string) {
  render(
    <SelectField label="Missed" value={chosen} onChange={() => undefined}>
      <Choices words={{ run_once: "One run for all", skip: "Left out" }} chosen={chosen} />
    </SelectField>,
  );
  const field: HTMLSelectElement = screen.getByLabelText("Missed");
  return { value: field.value, options: [...field.options].map(({ text }) => text) };
}

it("choices are offered in words", () => {
  expect(show("skip")).toEqual({ value: "skip", options: ["One run for all", "Left out"] });
});

it("what is chosen and has no words is not shown as another choice", () => {
  expect(show("run_some")).toEqual({ value: "run_some", options: ["One run for all", "Left out", "run_some"] });
});
