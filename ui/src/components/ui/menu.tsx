import { DropdownMenu as Radix } from "radix-ui";
import type { ReactNode } from "react";
import { classNames } from "@/lib/class-names";
import { Icon, type IconName } from "./icon";

interface MenuProps {
  /** The button that opens it. */
  trigger: ReactNode;
  children: ReactNode;
  align?: "start" | "end";
}

/** A menu below its button. It is not modal: a modal one would add a style element, which the page's policy refuses. */
export function Menu({ trigger, children, align = "end" }: MenuProps) {
  return (
    <Radix.Root modal={false}>
      <Radix.Trigger asChild>{trigger}</Radix.Trigger>
      <Radix.Portal>
        <Radix.Content
          align={align}
          sideOffset={4}
          collisionPadding={8}
          className="z-40 max-w-[min(20rem,100vw-1rem)] min-w-48 rounded-control border border-line bg-raised p-1 shadow-floating"
        >
          {children}
        </Radix.Content>
      </Radix.Portal>
    </Radix.Root>
  );
}

const ITEM =
  "flex h-8 items-center gap-2 rounded-chip px-2 outline-none select-none data-disabled:text-ink-3 data-highlighted:bg-sunken";

interface ItemProps {
  icon?: IconName;
  children: ReactNode;
  onSelect: () => void;
  isDangerous?: boolean;
  isDisabled?: boolean;
}

/** Something to do. */
export function MenuItem({ icon, children, onSelect, isDangerous = false, isDisabled = false }: ItemProps) {
  return (
    <Radix.Item
      onSelect={onSelect}
      disabled={isDisabled}
      className={classNames(ITEM, isDangerous && "text-failed")}
    >
      {icon !== undefined && <Icon name={icon} />}
      <span className="truncate">{children}</span>
    </Radix.Item>
  );
}

/** The way to a page that is none of the app's; it opens beside it. */
export function MenuLink({ icon, href, children }: Pick<ItemProps, "icon" | "children"> & { href: string }) {
  return (
    <Radix.Item asChild className={ITEM}>
      <a href={href} target="_blank" rel="noreferrer">
        {icon !== undefined && <Icon name={icon} />}
        <span className="truncate">{children}</span>
      </a>
    </Radix.Item>
  );
}

interface ChoiceProps {
  value: string;
  options: readonly { value: string; label: string; icon?: IconName }[];
  onChoose: (value: string) => void;
}

/** One out of several. */
export function MenuChoice({ value, options, onChoose }: ChoiceProps) {
  return (
    <Radix.RadioGroup value={value} onValueChange={onChoose}>
      {options.map((option) => (
        <Radix.RadioItem key={option.value} value={option.value} className={ITEM}>
          {option.icon !== undefined && <Icon name={option.icon} />}
          <span className="grow truncate">{option.label}</span>
          <Radix.ItemIndicator>
            <Icon name="check" />
          </Radix.ItemIndicator>
        </Radix.RadioItem>
      ))}
    </Radix.RadioGroup>
  );
}

/** A heading in a menu. */
export function MenuLabel({ children }: { children: ReactNode }) {
  return <Radix.Label className="truncate px-2 pt-1.5 pb-1 text-xs text-ink-3">{children}</Radix.Label>;
}

/** A line between groups. */
export function MenuLine() {
  return <Radix.Separator className="my-1 h-px bg-line" />;
}
