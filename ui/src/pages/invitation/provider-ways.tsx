import { useMutation, useQuery } from "@tanstack/react-query";
import { Button } from "@/components/ui/button";
import { FormError } from "@/components/ui/door";
import { describeError } from "@/lib/problem";
import { providersQuery } from "@/lib/providers";
import { joinElsewhere } from "./api";

interface WaysProps {
  token: string;
  email: string;
  isOnlyWay: boolean;
}

/** The way to join without a password, by a provider that knows who one is; nothing where none is set up. */
export function ProviderWays({ token, email, isOnlyWay }: WaysProps) {
  const providers = useQuery(providersQuery).data;
  const leaving = useMutation({ mutationFn: () => joinElsewhere(token), onSuccess: (url) => location.assign(url) });
  if (providers === undefined) return null;
  if (providers.length === 0) return isOnlyWay ? <p className="mt-2 text-ink-2">None is set up here. Tell whoever runs FlowForge here.</p> : null;
  return (
    <div className="mt-4 flex flex-col gap-2 border-t border-line pt-4">
      <p className="text-xs text-ink-3 wrap-anywhere">{isOnlyWay ? `It has to know you as ${email}.` : `Or without a password, where the provider knows you as ${email}:`}</p>
      {providers.map(({ name, url }) => (
        <Button key={url} className="max-w-full" isBusy={leaving.isPending || leaving.isSuccess} onClick={() => leaving.mutate()}>
          <span className="truncate">Join with {name}</span>
        </Button>
      ))}
      <FormError>{leaving.isError ? describeError(leaving.error) : undefined}</FormError>
    </div>
  );
}
