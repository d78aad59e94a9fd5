import { Dialog as Radix } from "radix-ui";
import { type ReactNode, useLayoutEffect, useRef } from "react";
import { classNames } from "@/lib/class-names";
import { useCounted } from "@/lib/open-dialogs";
import { IconButton } from "./button";
import { focusFirst } from "./first-focus";
import { isInToast } from "./toasts";
import { holdsMore, useOverflow } from "./use-overflow";

interface DialogProps {
  isOpen: boolean;
  onClose: () => void;
  title: string;
  children: ReactNode;
  /** Buttons, the one that acts last: where there is nothing to fill in, the first of them has the focus. */
  actions?: ReactNode;
  /** For what has columns or long lines. */
  isWide?: boolean;
  /** Only a button closes it: a slip of the pointer or of the Escape key would lose what it shows. */
  isFirm?: boolean;
  /** It is to be read from its beginning, whatever can be pressed further down. */
  isToRead?: boolean;
  /** The id of what has the focus after it, where what opened it has gone meanwhile. */
  returnTo?: string;
}

/**
 * A dialog over everything else.
 *
 * Radix's own overlay would keep the page from scrolling by a style element, which the page's policy refuses: the scrim is
 * ours, and styles.css does the rest.
 */
export function Dialog({ isOpen, onClose, title, children, actions, isWide = false, isFirm = false, isToRead = false, returnTo = "main" }: DialogProps) {
  const opener = useRef<Element>(null);
  const body = useRef<HTMLDivElement>(null);
  const feet = useRef<HTMLDivElement>(null);
  const [watch, isLong] = useOverflow();
  useCounted(isOpen);
  // Before anything in it takes the focus: Radix's portal is filled only after the effects of this.
  useLayoutEffect(() => {
    if (isOpen) opener.current = document.activeElement;
  }, [isOpen]);
  return (
    <Radix.Root open={isOpen} onOpenChange={(open) => !open && onClose()}>
      <Radix.Portal>
        <div data-modal className="fixed inset-0 z-40 bg-scrim" />
        <Radix.Content
          aria-describedby={undefined}
          onOpenAutoFocus={(event) => {
            // Radix takes the first thing that can have it: the button that closes the dialog.
            event.preventDefault();
            const scrolled = body.current?.parentElement;
            const rest = scrolled != null && holdsMore(scrolled) ? scrolled : event.currentTarget;
            focusFirst({ body: isToRead ? null : body.current, actions: isFirm ? null : feet.current, rest });
          }}
          onCloseAutoFocus={(event) => {
            // Radix gives the focus to a trigger of its own alone, and there is none.
            event.preventDefault();
            returnFocus(opener.current, returnTo);
          }}
          onInteractOutside={(event) => (isFirm || isInToast(event.target)) && event.preventDefault()}
          {...(isFirm ? { onEscapeKeyDown: refuse } : {})}
          className={classNames(
            "fixed top-1/2 left-1/2 z-40 flex max-h-[90dvh] w-[calc(100%-2rem)] -translate-1/2 flex-col rounded-dialog border border-line bg-surface shadow-floating outline-none",
            isWide ? "max-w-4xl" : "max-w-lg",
          )}
        >
          <div className="flex items-center justify-between gap-4 border-b border-line py-2 pr-2 pl-4">
            {/* It may hold a name, as long as names may be. */}
            <Radix.Title className="min-w-0 text-lg font-semibold wrap-anywhere">{title}</Radix.Title>
            <Radix.Close asChild>
              <IconButton label="Close" icon="close" />
            </Radix.Close>
          </div>
          {/* What scrolls must be reached by keyboard. */}
          <div
            ref={watch}
            {...(isLong ? { tabIndex: 0, role: "group", "aria-label": title } : { tabIndex: -1 })}
            className="overflow-y-auto p-4 focus-visible:-outline-offset-2"
          >
            <div ref={body}>{children}</div>
          </div>
          {actions !== undefined && (
            <div ref={feet} className="flex justify-end gap-2 border-t border-line p-3">
              {actions}
            </div>
          )}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

/** To what opened the dialog; where that has gone, as the entry of a menu, to `returnTo`. */
function returnFocus(opener: Element | null, returnTo: string): void {
  if (opener instanceof HTMLElement && opener.isConnected && opener !== document.body) opener.focus();
  else if (document.activeElement === document.body) document.getElementById(returnTo)?.focus();
}

function refuse(event: Event): void {
  event.preventDefault();
}
