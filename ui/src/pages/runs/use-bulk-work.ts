import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { type BulkAction, type BulkEnd, type BulkFilter, applyBulk } from "./bulk";

interface Ends {
  /** It went through all of them, or was stopped between two calls. */
  onEnd: (end: BulkEnd) => void;
  /** Whoever began it is gone: it was done to so many at the least. */
  onGone: (done: number) => void;
}

/** The work of a bulk action. It ends with the component at the latest: it must not go on in another workspace. */
export function useBulkWork(action: BulkAction, filter: BulkFilter, { onEnd, onGone }: Ends) {
  const [progress, setProgress] = useState(0);
  const [isStopping, setIsStopping] = useState(false);
  const ways = useRef<{ stop: AbortController; gone: AbortController }>(undefined);
  const queryClient = useQueryClient();
  useEffect(() => () => ways.current?.gone.abort(), []);
  const { mutate, isPending, error } = useMutation({
    mutationFn: () => {
      const [stop, gone] = [new AbortController(), new AbortController()];
      ways.current = { stop, gone };
      return applyBulk(action, filter, { stop: stop.signal, gone: gone.signal, onProgress: setProgress });
    },
    onSuccess: onEnd,
    onError: () => {
      if (ways.current?.gone.signal.aborted === true) onGone(progress);
    },
    onSettled: () => queryClient.invalidateQueries({ queryKey: ["runs"] }),
  });
  return {
    progress,
    isPending,
    isStopping: isPending && isStopping,
    error,
    begin: () => {
      setProgress(0);
      setIsStopping(false);
      mutate();
    },
    stop: () => {
      setIsStopping(true);
      ways.current?.stop.abort();
    },
  };
}
