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
  ["signs that have no width", "dep\u200bloy\u2060 bot\ufeff\u00ad", "deploy bot"],
  ["signs that turn the direction", "\u202edeploy bot\u202c", "deploy bot"],
  ["a picture that is put together", "\u{1f469}\u200d\u{1f4bb}\ufe0f", "\u{1f469}\u{1f4bb}"],
  ["markup", "<img src=x onerror=alert(1)> & co", " <img src=x onerror=alert(1)> & co "],
])("a name with %s is typed as it is seen", (_, name, typed) => {
  show(name);
  type(typed);
  expect(act().disabled).toBe(false);
});

it("a name of which nothing is seen is asked for by nobody", () => {
  const { onConfirm } = show("\u200b\u2060 \u200d");
  expect(screen.queryByLabelText("Its name")).toBeNull();
  expect(document.activeElement).toBe(screen.getByRole("button", { name: "Keep it" }));
  expect(act().disabled).toBe(false);
  fireEvent.submit(document.querySelector("form") as HTMLFormElement);
  expect(onConfirm).toHaveBeenCalledOnce();
});

it("it is left without the name", () => {
  const { onConfirm, onClose } = show("deploy bot");
  fireEvent.click(screen.getByRole("button", { name: "Keep it" }));
  expect(onClose).toHaveBeenCalledOnce();
  expect(onConfirm).not.toHaveBeenCalled();
});
