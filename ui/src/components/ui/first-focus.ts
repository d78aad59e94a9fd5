const FIELD = "input:not([type=hidden]):not(:disabled), select:not(:disabled), textarea:not(:disabled)";
const BUTTON = "button:not(:disabled)";
const ANYTHING = `${BUTTON}, a[href], [tabindex="0"]`;

interface Parts {
  /** What the dialog shows; null where it is to be read from its beginning, whatever can be pressed in it. */
  body: Element | null;
  /** Its buttons; null where a slip on one of them would lose what it shows. */
  actions: Element | null;
  /** The dialog, or its text where that is longer than its place. */
  rest: EventTarget | null;
}

/**
 * Give the focus of a dialog that has just opened to what a person is to do first.
 *
 * That is the first field; where there is none, the first of the buttons below, which is the one that changes nothing; else what can
 * be pressed in the text; else the dialog itself, so that its title is read out, or the text that arrows scroll.
 */
export function focusFirst({ body, actions, rest }: Parts): void {
  const isFocused = take(body, FIELD) || take(actions, BUTTON) || take(body, ANYTHING);
  if (!isFocused && rest instanceof HTMLElement) rest.focus({ preventScroll: true });
}

/** Whether something took it: what is folded away does not. */
function take(part: Element | null, selector: string): boolean {
  return [...(part?.querySelectorAll<HTMLElement>(selector) ?? [])].some((found) => {
    found.focus();
    return document.activeElement === found;
  });
}
