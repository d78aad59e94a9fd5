import { type ErrorComponentProps, useRouter } from "@tanstack/react-router";
import { useState } from "react";
import { Moment } from "@/components/ui/moment";
import { ErrorState } from "@/components/ui/states";
import { ApiProblem } from "@/lib/problem";
import { loadAnew } from "@/lib/served";

/** What stands in place of a page that cannot be shown, and another try. */
export function RouteError({ error, reset }: ErrorComponentProps) {
  const router = useRouter();
  const [isBusy, setIsBusy] = useState(false);
  const [missedAt, setMissedAt] = useState<string>();
  const retry = async () => {
    setIsBusy(true);
    setMissedAt(undefined);
    if (error instanceof ApiProblem) {
      await router.invalidate();
      reset();
    } else if (!(await loadAnew())) {
      // A part of the app that has not come is not asked for again by the page that lacks it, whatever it is told.
      setMissedAt(new Date().toISOString());
    }
    setIsBusy(false);
  };
  const said = missedAt === undefined ? undefined : <Missed at={missedAt} />;
  return <ErrorState isPage error={error} isRetrying={isBusy} said={said} onRetry={() => void retry()} />;
}

function Missed({ at }: { at: string }) {
  return (
    <>
      Tried again <Moment at={at} />: nobody answered.
    </>
  );
}
