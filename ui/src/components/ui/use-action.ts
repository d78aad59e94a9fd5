import { type QueryKey, useMutation, useQueryClient } from "@tanstack/react-query";
import { describeError } from "@/lib/problem";
import { toast } from "./toasts";

interface Action {
  /** What could not be done, where it fails: "shop was not deleted." */
  failure: string;
  /** Gives the sentence that tells what came of it, or nothing where that is seen. */
  work: () => Promise<string | undefined>;
}

/** Do something, tell what came of it, and read anew what it has changed. */
export function useAction(...changed: QueryKey[]) {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: ({ work }: Action) => work(),
    onSuccess: (said) => said !== undefined && toast("done", said),
    onError: (error, { failure }) => toast("failed", `${failure} ${describeError(error)}`),
    onSettled: () => Promise.all(changed.map((queryKey) => queryClient.invalidateQueries({ queryKey }))),
  });
}
