import { useState } from "react";
import { classNames } from "@/lib/class-names";
import { Button } from "./button";
import { useOverflow } from "./use-overflow";

const CUTS = { 3: "line-clamp-3", 8: "line-clamp-8" } as const;

interface LongTextProps {
  text: string;
  /** So many lines are shown of one that is longer. */
  lines?: keyof typeof CUTS;
  /** How its letters look. */
  look?: string;
}

/** Text from outside, as it was written; of a long one how it begins, until the whole is asked for. */
export function LongText({ text, lines = 8, look = "" }: LongTextProps) {
  const [isWhole, setIsWhole] = useState(false);
  const [watch, isCut] = useOverflow();
  return (
    <div className="flex max-w-full min-w-0 flex-col items-start gap-1">
      {/* It may be written from the right. Another text is measured anew; the whole is not, since nothing of it is out of sight. */}
      <p
        key={text}
        ref={isWhole ? null : watch}
        dir="auto"
        className={classNames("w-full text-left wrap-anywhere", look, !isWhole && CUTS[lines])}
      >
        {text}
      </p>
      {(isCut || isWhole) && (
        <Button kind="quiet" aria-expanded={isWhole} onClick={() => setIsWhole(!isWhole)}>
          {isWhole ? "Show less" : "Show all of it"}
        </Button>
      )}
    </div>
  );
}
