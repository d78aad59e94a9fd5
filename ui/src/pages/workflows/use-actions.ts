import { useMutation, useQueryClient } from "@tanstack/react-query";
import { toast } from "@/components/ui/toasts";
import { describeError } from "@/lib/problem";
import { WORKFLOWS } from "./api";

interface Action {
  /** What could not be done, where it fails: "Orders was not published." */
  failure: string;
  work: () => Promise<string | undefined>;
}

/** Do something to workflows: `work` gives the sentence that tells what came of it. The list is read anew. */
export function useAction() {
  const queryClient = useQueryClient();
  return useMutation({
    mutationFn: ({ work }: Action) => work(),
    onSuccess: (said) => said !== undefined && toast("done", said),
    onError: (error, { failure }) => toast("failed", `${failure} ${describeError(error)}`),
    onSettled: () => queryClient.invalidateQueries({ queryKey: WORKFLOWS }),
  });
}
