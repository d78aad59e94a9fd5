import { cleanup, fireEvent, render, screen } from "@testing-library/react";
import { afterEach, expect, it, vi } from "vitest";
import { ConfirmByName } from "./confirm-by-name";

afterEach(cleanup);

function show(name: string) {
  const said = { onClose: vi.fn(), onConfirm: vi.fn() };
  render(
    <ConfirmByName name={name} title={`Revoke ${name}?`} verb="Revoke" {...said}>
      It cannot be brought back.
    </ConfirmByName>,
  );
  return said;
}
const field = () => screen.getByLabelText<HTMLInputElement>("Its name");
const type = (value: string) => fireEvent.change(field(), { target: { value } });
const act = () => screen.getByRole<HTMLButtonElement>("button", { name: "Revoke" });
// As Enter does, also where a browser would let it pass.
const send = () => fireEvent.submit(field().closest("form") as HTMLFormElement);

it("it asks for the name first, and does nothing before that is typed", () => {
  const { onConfirm, onClose } = show("deploy bot");
  expect(document.activeElement).toBe(field());
  for (const wrong of ["", "deploy", "Deploy bot", "deploy bot 2"]) {
    type(wrong);
    expect(act().disabled, wrong).toBe(true);
    send();
  }
  expect(onConfirm).not.toHaveBeenCalled();
  type("deploy bot");
  expect(act().disabled).toBe(false);
  send();
  expect(onConfirm).toHaveBeenCalledOnce();
  expect(onClose).not.toHaveBeenCalled();
});

it.each([
  ["two spaces that are seen as one", "deploy  bot", "deploy bot"],
  ["a space that does not break", "deploy\u00a0bot", "deploy bot"],
  ["a letter that is put together", "cafe\u0301", "caf\u00e9"],
  ["markup", "<img src=x onerror=alert(1)> & co", " <img src=x onerror=alert(1)> & co "],
])("a name with %s is typed as it is seen", (_, name, typed) => {
  show(name);
  type(typed);
  expect(act().disabled).toBe(false);
});

it("it is left without the name", () => {
  const { onConfirm, onClose } = show("deploy bot");
  fireEvent.click(screen.getByRole("button", { name: "Keep it" }));
  expect(onClose).toHaveBeenCalledOnce();
  expect(onConfirm).not.toHaveBeenCalled();
});
