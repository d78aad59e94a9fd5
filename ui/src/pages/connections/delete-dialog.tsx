import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Confirm } from "@/components/ui/confirm";
import { FormError } from "@/components/ui/door";
import { ErrorState, LoadingRows } from "@/components/ui/states";
import { toast } from "@/components/ui/toasts";
import { describeError } from "@/lib/problem";
import { CONNECTIONS, type ConnectionDetail, connectionQuery, remove } from "./api";
import { UseList } from "./used-by";

interface DialogProps {
  connection: ConnectionDetail;
  onClose: () => void;
  onDeleted: () => void;
}

/** Asks before a connection is deleted, with the workflows that would fail without it. */
export function DeleteDialog({ connection, onClose, onDeleted }: DialogProps) {
  const { id, name } = connection;
  const queryClient = useQueryClient();
  // As it is now, not as it was when the page was read.
  const detail = useQuery({ ...connectionQuery(id), staleTime: 0 });
  const uses = detail.isFetching ? undefined : detail.data?.used_by;
  const isUsed = uses !== undefined && uses.length > 0;
  const deletion = useMutation({
    mutationFn: () => remove(connection, isUsed),
    onSuccess: async () => {
      toast("done", `${name} was deleted, with its secret.`);
      onDeleted();
      queryClient.removeQueries({ queryKey: connectionQuery(id).queryKey });
      await queryClient.invalidateQueries({ queryKey: CONNECTIONS });
    },
  });
  return (
    <Confirm
      isOpen
      onClose={onClose}
      title={`Delete ${name}?`}
      verb={isUsed ? "Delete it all the same" : "Delete"}
      isBusy={deletion.isPending || uses === undefined}
      onConfirm={() => deletion.mutate()}
    >
      <div className="flex flex-col gap-3">
        {detail.isFetching && <LoadingRows rows={2} />}
        {!detail.isFetching && detail.isError && <ErrorState error={detail.error} onRetry={() => void detail.refetch()} />}
        {isUsed && (
          <>
            <p className="rounded-control bg-failed-soft px-3 py-2 text-failed">
              {uses.length === 1 ? "This workflow uses it, and its steps would fail:" : "These workflows use it, and their steps would fail:"}
            </p>
            <UseList uses={uses} />
          </>
        )}
        {uses?.length === 0 && <p>No workflow names it. Where an expression gives the name, only the run tells.</p>}
        <p className="text-ink-2">Its secret goes with it, and cannot be brought back.</p>
        <FormError>{deletion.isError ? describeError(deletion.error) : undefined}</FormError>
      </div>
    </Confirm>
  );
}
