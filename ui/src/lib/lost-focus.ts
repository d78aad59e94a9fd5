/** Whereto somebody was led last, and where they were. */
let led: { to: HTMLElement; from: Element } | undefined;

/** Whether nothing has the focus, as after what had it has gone. */
function isNowhere(): boolean {
  return document.activeElement === null || document.activeElement === document.body;
}

/** Give the focus, which would be lost with what is closed, to the first of these that is there; elsewhere it stays. */
export function passFocus(closed: Element | null, ...heirs: readonly string[]): void {
  led = undefined;
  if (!isNowhere() && closed?.contains(document.activeElement) !== true) return;
  heirs.map((heir) => document.querySelector<HTMLElement>(heir)).find((heir) => heir !== null)?.focus();
}

/** Let whoever uses a keyboard go on in the page that has come, where the focus has gone with the one before. */
export function focusPage(): void {
  if (isNowhere()) document.getElementById("main")?.focus({ preventScroll: true });
}

/** Lead whoever uses a keyboard to what has this id; `leadBack` knows where from. */
export function leadTo(id: string): void {
  const [to, from] = [document.getElementById(id), document.activeElement];
  if (to === null) return;
  // Some browsers give a button that is pressed no focus: there is nowhere to lead back to then.
  led = from === null || from === document.body ? undefined : { to, from };
  to.focus();
}

/** Lead back whoever was led into a place and is still in it; false where nobody was. */
export function leadBack(place: Element | null): boolean {
  const { to, from } = led ?? {};
  led = undefined;
  const isIn = to !== undefined && place?.contains(to) === true && place.contains(document.activeElement);
  if (!isIn || !(from instanceof HTMLElement) || !from.isConnected) return false;
  from.focus();
  return true;
}
