import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { MomentField } from "./field";

afterEach(cleanup);

it("a year that is half typed is not passed on, and does not stand there once the field is left", () => {
  const onMoment = vi.fn();
  render(<MomentField label="From" moment={undefined} onMoment={onMoment} />);
  const field = screen.getByLabelText<HTMLInputElement>("From");
  for (const year of ["0002", "0020", "0202"]) fireEvent.change(field, { target: { value: `${year}-11-27T10:00` } });
  fireEvent.blur(field);
  expect(onMoment).not.toHaveBeenCalled();
  expect(field.value).toBe("");
  fireEvent.change(field, { target: { value: "2026-11-27T10:00" } });
  expect(onMoment.mock.calls).toEqual([["2026-11-27T04:30:00.000Z"]]);
});
