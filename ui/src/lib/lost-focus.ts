/** Whether nothing has the focus, as after what had it has gone. */
function isNowhere(): boolean {
  return document.activeElement === null || document.activeElement === document.body;
}

/** Give the focus, which would be lost with what is closed, to the first of these that is there; elsewhere it stays. */
export function passFocus(closed: Element | null, ...heirs: readonly string[]): void {
  if (!isNowhere() && closed?.contains(document.activeElement) !== true) return;
  heirs.map((heir) => document.querySelector<HTMLElement>(heir)).find((heir) => heir !== null)?.focus();
}

/** Let whoever uses a keyboard go on in the page that has come, where the focus has gone with the one before. */
export function focusPage(): void {
  if (isNowhere()) document.getElementById("main")?.focus({ preventScroll: true });
}
