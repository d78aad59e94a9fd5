import { useState } from "react";
import { Button } from "@/components/ui/button";
import { classNames } from "@/lib/class-names";
import { isLong } from "./filters";

/** What is asked, as it was written; of a long one how it begins, until the whole is asked for. */
export function Message({ text }: { text: string }) {
  const [isWhole, setIsWhole] = useState(false);
  const isCut = isLong(text) && !isWhole;
  return (
    <div className="flex flex-col items-start gap-1">
      {/* It may be written from the right. */}
      <p dir="auto" className={classNames("w-full text-left whitespace-pre-wrap wrap-anywhere", isCut && "line-clamp-8")}>
        {text}
      </p>
      {isLong(text) && (
        <Button kind="quiet" aria-expanded={isWhole} onClick={() => setIsWhole(!isWhole)}>
          {isWhole ? "Show less" : "Show all of it"}
        </Button>
      )}
    </div>
  );
}
