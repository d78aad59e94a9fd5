import { classNames } from "@/lib/class-names";
import type { Tone } from "@/lib/status";
import { Icon, type IconName } from "./icon";
import { Lamp } from "./lamp";

/** What kind of step it is can be read from the outline. */
const KINDS = {
  trigger: { shape: "rounded-l-[28px] rounded-r-control", icon: "play" },
  action: { shape: "rounded-control", icon: "export" },
  delay: { shape: "rounded-l-control rounded-r-[28px]", icon: "pause" },
  choice: { shape: "rounded-control border-r-4 border-double", icon: "workflows" },
} as const satisfies Record<string, { shape: string; icon: IconName }>;

interface PlateProps {
  kind: keyof typeof KINDS;
  title: string;
  summary: string;
  tone?: Tone;
  /** What stands before the lamp: a duration, a count. */
  right?: string;
  isSelected?: boolean;
  isDisabled?: boolean;
  /** Seen from so far that words cannot be read: its outline and its lamp are left. */
  isBare?: boolean;
  problems?: number;
}

/** A step as it lies on the canvas: 240 x 56, whatever it is called. */
export function Plate({ kind, title, summary, tone, right, isSelected, isDisabled, isBare = false, problems = 0 }: PlateProps) {
  const { shape, icon } = KINDS[kind];
  return (
    <div
      title={isBare ? title : undefined}
      className={classNames(
        "relative flex h-14 w-60 items-stretch border bg-surface",
        isDisabled === true ? "border-dashed border-line-strong text-ink-3" : "border-line-strong",
        isSelected === true && "outline-2 outline-offset-2 outline-ink",
        shape,
      )}
    >
      {isBare ? (
        <span className="m-auto">{tone !== undefined && <Lamp tone={tone} size={40} />}</span>
      ) : (
        <>
          <span className="flex w-10 shrink-0 items-center justify-center border-r border-line text-ink-2">
            <Icon name={icon} />
          </span>
          <span className="flex min-w-0 grow flex-col justify-center px-2">
            {/* Cut at the end of the words, also where that is at the left. */}
            <span dir="auto" className="truncate text-left font-semibold">
              {title}
            </span>
            <span className="truncate font-mono text-xs text-ink-3">{summary}</span>
          </span>
          <span className="flex shrink-0 items-center gap-1.5 pr-3 font-mono text-xs text-ink-2">
            {right}
            {tone !== undefined && <Lamp tone={tone} />}
          </span>
        </>
      )}
      {problems > 0 && (
        <span className="absolute -top-2 right-2 rounded-chip bg-ink px-1 text-xs font-semibold text-canvas">
          ! {problems}
        </span>
      )}
    </div>
  );
}
