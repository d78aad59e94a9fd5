import { toast } from "./toasts";

/** Put a text on the clipboard; false where the browser refuses. Over plain http there is no clipboard at all. */
export async function putOnClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Put a text on the clipboard, and tell what came of it: "The link was copied." */
export async function copyText(text: string, what: string): Promise<void> {
  if (await putOnClipboard(text)) toast("done", `${what} was copied.`);
  else toast("failed", `${what} was not copied, since the browser refuses. Mark it and copy it by hand.`);
}
