import { useQuery } from "@tanstack/react-query";
import { PageHeader } from "@/components/ui/page-header";
import { ErrorState, LoadingRows } from "@/components/ui/states";
import { meQuery } from "@/lib/me";
import { PasswordForm } from "./password-form";
import { SignIns } from "./sign-ins";
import { WorkspaceForm } from "./workspace-form";

/** The workspace's name, and one's own account. */
export function SettingsPage() {
  const me = useQuery(meQuery);
  return (
    <>
      <PageHeader title="Settings" />
      <div className="flex max-w-4xl flex-col gap-3 px-4 pb-8 md:px-6">
        {me.isError && <ErrorState error={me.error} onRetry={() => void me.refetch()} />}
        {me.isPending && <LoadingRows />}
        {me.data !== undefined && (
          <>
            <WorkspaceForm workspace={me.data.workspace} />
            <PasswordForm user={me.data.user} />
            <SignIns />
          </>
        )}
      </div>
    </>
  );
}
