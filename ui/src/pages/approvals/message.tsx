import { useState } from "react";
import { Button } from "@/components/ui/button";
import { isLong } from "./filters";

/** What is asked, as it was written; of a long one how it begins, until the whole is asked for. */
export function Message({ text }: { text: string }) {
  const [isWhole, setIsWhole] = useState(false);
  const isCut = isLong(text) && !isWhole;
  return (
    <div className="flex flex-col items-start gap-1">
      <p className={isCut ? "line-clamp-8 whitespace-pre-wrap wrap-anywhere" : "whitespace-pre-wrap wrap-anywhere"}>{text}</p>
      {isLong(text) && (
        <Button kind="quiet" aria-expanded={isWhole} onClick={() => setIsWhole(!isWhole)}>
          {isWhole ? "Show less" : "Show all of it"}
        </Button>
      )}
    </div>
  );
}
