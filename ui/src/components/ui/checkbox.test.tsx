import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { Checkbox } from "./checkbox";

afterEach(cleanup);

it("is named by its words, told more by a text, and changed by a press on the words", () => {
  const onChange = vi.fn();
  render(
    <>
      <Checkbox isOn={false} onChange={onChange} describedBy="more">
        Only the 3 that failed
      </Checkbox>
      <p id="more">Of the first page.</p>
    </>,
  );
  const box = screen.getByRole<HTMLInputElement>("checkbox", { name: "Only the 3 that failed" });
  expect([box.checked, box.getAttribute("aria-describedby")]).toEqual([false, "more"]);
  fireEvent.click(screen.getByText("Only the 3 that failed"));
  expect(onChange.mock.calls).toEqual([[true]]);
});
