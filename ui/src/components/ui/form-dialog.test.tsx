import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { Field } from "./field";
import { FormDialog } from "./form-dialog";

afterEach(cleanup);

function show(state: { isBusy?: boolean; isFaulty?: boolean; isDangerous?: boolean; leave?: string } = {}) {
  const said = { onClose: vi.fn(), onSubmit: vi.fn<(filled: FormData) => void>() };
  render(
    <FormDialog title="New parcel" verb="Make it" isBusy={false} {...state} {...said}>
      <Field label="Name" name="name" />
      <label>
        <input type="checkbox" name="fragile" /> Fragile
      </label>
    </FormDialog>,
  );
  return said;
}
const button = (name: string): HTMLButtonElement => screen.getByRole("button", { name });

it("what is filled in is handed over by its names, and the page stays", () => {
  const { onSubmit, onClose } = show();
  const field = screen.getByLabelText("Name");
  fireEvent.change(field, { target: { value: "Books" } });
  expect(fireEvent.submit(field.closest("form") as HTMLFormElement)).toBe(false);
  expect(onSubmit.mock.calls.map(([filled]) => [...filled])).toEqual([[["name", "Books"]]]);
  expect(onClose).not.toHaveBeenCalled();
});

it("Enter sends it from a field, and not from a box, where people press it to tick that", () => {
  show();
  const press = (label: string) => fireEvent.keyDown(screen.getByLabelText(label), { key: "Enter" });
  // Where nobody prevents it, the browser sends the form.
  expect([press("Name"), press("Fragile")]).toEqual([true, false]);
  expect(fireEvent.keyDown(screen.getByLabelText("Fragile"), { key: " " })).toBe(true);
});

it("the button that sends the form belongs to it, and the other one leaves it", () => {
  const { onSubmit, onClose } = show();
  expect(button("Make it").form).toBe(screen.getByLabelText("Name").closest("form"));
  fireEvent.click(button("Cancel"));
  expect(onClose).toHaveBeenCalledOnce();
  expect(onSubmit).not.toHaveBeenCalled();
});

it.each([{ isBusy: true }, { isFaulty: true }])("with %j it cannot be sent, and can be left", (state) => {
  show(state);
  expect([button("Make it").disabled, button("Cancel").disabled]).toEqual([true, false]);
});

it("one that is to be thought over looks so, and says how it is left", () => {
  const { onClose } = show({ isDangerous: true, leave: "Not now" });
  expect(button("Make it").className).toContain("text-failed");
  fireEvent.click(button("Not now"));
  expect(onClose).toHaveBeenCalledOnce();
  cleanup();
  show();
  expect(button("Make it").className).not.toContain("text-failed");
});
