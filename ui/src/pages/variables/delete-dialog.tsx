import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Confirm } from "@/components/ui/confirm";
import { FormError } from "@/components/ui/door";
import { ErrorState, LoadingRows } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { describeError, isStale } from "@/lib/problem";
import { VARIABLES, remove, variableQuery } from "./api";
import { UsedBy } from "./used-by";
import { previewOf } from "./values";

/** Asks before a variable is deleted, with its value as it is now and the workflows that read it. */
export function DeleteVariable({ name, onClose }: { name: string; onClose: () => void }) {
  const query = useQuery(variableQuery(name));
  const queryClient = useQueryClient();
  const deletion = useMutation({
    mutationFn: () => remove(name, query.data?.etag ?? null),
    onSuccess: async () => {
      toast("done", `${name} was deleted.`);
      onClose();
      await queryClient.invalidateQueries({ queryKey: VARIABLES });
    },
    onError: (error) => {
      // What is shown is old: here, and in the list.
      if (isStale(error)) void queryClient.invalidateQueries({ queryKey: VARIABLES });
    },
  });
  return (
    <Confirm
      isOpen
      onClose={onClose}
      title={`Delete ${name}?`}
      verb="Delete"
      isBusy={deletion.isPending || query.data === undefined || query.isFetching}
      onConfirm={() => deletion.mutate()}
    >
      <div className="flex flex-col gap-3">
        <p>Steps that read vars.{name} fail from now on, in runs that start after this. Those under way keep the value.</p>
        {query.isPending && <LoadingRows rows={2} />}
        {query.data === undefined && query.isError && <ErrorState error={query.error} onRetry={() => void query.refetch()} />}
        {query.data !== undefined && (
          <>
            <UsedBy uses={query.data.variable.used_by} />
            <p className="truncate font-mono text-xs text-ink-2">{previewOf(query.data.variable.value)}</p>
          </>
        )}
        <FormError>{deletion.isError ? explain(deletion.error) : undefined}</FormError>
      </div>
    </Confirm>
  );
}

function explain(error: unknown): string {
  return isStale(error) ? "Somebody has changed it meanwhile: this is what it is now. It is still there." : describeError(error);
}
