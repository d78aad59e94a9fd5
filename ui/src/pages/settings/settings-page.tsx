import { useQuery } from "@tanstack/react-query";
import { Loaded } from "@/components/ui/loaded";
import { PageHeader } from "@/components/ui/page-header";
import { meQuery } from "@/lib/me";
import { Account } from "./account";
import { ProviderLinks } from "./provider-links";
import { SignIns } from "./sign-ins";
import { WorkspaceForm } from "./workspace-form";
import { WorkspaceLimits } from "./workspace-limits";
import { YourView } from "./your-view";

/** The workspace's name and limits, how one sees the app, and one's own account. */
export function SettingsPage() {
  const me = useQuery(meQuery);
  return (
    <>
      <PageHeader title="Settings" />
      <div className="flex max-w-4xl flex-col gap-3 px-4 pb-8 md:px-6">
        <Loaded query={me}>
          {({ workspace, user, has_password: hasPassword }) => (
            <>
              <WorkspaceForm workspace={workspace} />
              <YourView />
              <Account user={user} hasPassword={hasPassword} />
              <ProviderLinks hasPassword={hasPassword} />
              <SignIns />
              <WorkspaceLimits />
            </>
          )}
        </Loaded>
      </div>
    </>
  );
}
