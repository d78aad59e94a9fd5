import { useQuery } from "@tanstack/react-query";
import { buttonClass } from "@/components/ui/button";
import { providersQuery } from "@/lib/providers";
import { beginAt } from "./outcome";

/** The ways in by somebody else who knows who one is; nothing where none is set up. */
export function Providers({ next }: { next: string | undefined }) {
  const providers = useQuery(providersQuery).data ?? [];
  if (providers.length === 0) return null;
  return (
    <div className="mt-4 flex flex-col gap-2 border-t border-line pt-4">
      {providers.map(({ name, url }) => (
        // A page of the product's, and none of the app's: it leads on to the provider.
        <a key={url} href={beginAt(url, next)} className={`${buttonClass("secondary")} max-w-full`}>
          <span className="truncate">Sign in with {name}</span>
        </a>
      ))}
    </div>
  );
}
