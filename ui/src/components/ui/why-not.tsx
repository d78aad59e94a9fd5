import type { ReactNode } from "react";
import { Icon } from "./icon";

/** Why something cannot be done here, in the place of the button: "It takes an admin to change connections." */
export function WhyNot({ children }: { children: ReactNode }) {
  return (
    <p className="flex items-center gap-1.5 text-ink-3">
      <Icon name="lock" />
      <span>{children}</span>
    </p>
  );
}
