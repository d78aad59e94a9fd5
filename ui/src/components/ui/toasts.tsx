import { type ReactNode, useEffect, useState } from "react";
import { create } from "zustand";
import { classNames } from "@/lib/class-names";
import { useIsInDialog } from "@/lib/open-dialogs";
import { IconButton } from "./button";
import { Icon } from "./icon";

interface Toast {
  id: number;
  kind: "done" | "failed";
  text: string;
  /** Where one goes on from it: a link. */
  way?: ReactNode;
}

const useToasts = create<{ toasts: readonly Toast[] }>(() => ({ toasts: [] }));
const SHOWN_MS = 6000;
let nextId = 1;

/** Tell what came of an action. A failure stays until it is dismissed. */
export function toast(kind: Toast["kind"], text: string, way?: ReactNode): void {
  const id = nextId++;
  useToasts.setState(({ toasts }) => ({ toasts: [...toasts.slice(-3), { id, kind, text, way }] }));
}

/** Whether something is a toast, or in one: these lie over dialogs, and belong to none. */
export function isInToast(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("[data-toasts]") !== null;
}

function dismiss(id: number): void {
  useToasts.setState(({ toasts }) => ({ toasts: toasts.filter((one) => one.id !== id) }));
}

/** Where toasts appear; it stands in the page from the start, so that what comes is read out. */
export function Toasts() {
  const toasts = useToasts((state) => state.toasts);
  return (
    <div
      data-toasts
      aria-live="polite"
      // Dialogs would hear of the press only once its click is over, and what is dismissed by it is nowhere any more.
      onPointerDown={(event) => event.stopPropagation()}
      className="pointer-events-none fixed right-4 bottom-20 left-4 z-50 flex flex-col items-end gap-2 md:bottom-4"
    >
      {toasts.map((shown) => (
        <ToastView key={shown.id} toast={shown} />
      ))}
    </div>
  );
}

/** It goes by itself after a while, but not while somebody points at it or is in it, nor a way on while a dialog is in the way. */
function ToastView({ toast: { id, kind, text, way } }: { toast: Toast }) {
  const [isPointedAt, setIsPointedAt] = useState(false);
  const isInDialog = useIsInDialog();
  const isHeld = isPointedAt || (way !== undefined && isInDialog);
  useEffect(() => {
    if (kind === "failed" || isHeld) return undefined;
    const timer = setTimeout(() => dismiss(id), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [id, kind, isHeld]);
  return (
    <div
      onPointerEnter={() => setIsPointedAt(true)}
      onPointerLeave={() => setIsPointedAt(false)}
      onFocus={() => setIsPointedAt(true)}
      onBlur={() => setIsPointedAt(false)}
      className={classNames(
        "pointer-events-auto flex max-w-md items-start gap-2 rounded-control border bg-raised py-1.5 pr-1.5 pl-3 shadow-floating",
        kind === "failed" ? "border-failed" : "border-line-strong",
      )}
    >
      <span className={classNames("py-2", kind === "failed" ? "text-failed" : "text-succeeded")}>
        <Icon name={kind === "failed" ? "warning" : "check"} />
      </span>
      <p className="py-1.5 wrap-anywhere">
        {text}
        {way !== undefined && <> {way}</>}
      </p>
      <IconButton label="Dismiss" icon="close" onClick={() => dismiss(id)} />
    </div>
  );
}
