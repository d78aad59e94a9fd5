import { type ReactNode, useEffect, useState } from "react";
import { ApiProblem, Unreachable, describeError } from "@/lib/problem";
import { Button } from "./button";
import { Icon, type IconName } from "./icon";

interface PanelProps {
  icon: IconName;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
  role?: "alert" | "status";
  /** Where it stands for the whole page, its title is the page's. */
  isPage?: boolean;
}

function Panel({ icon, title, children, action, role, isPage = false }: PanelProps) {
  const Title = isPage ? "h1" : "h2";
  return (
    <div role={role} className="mx-auto flex max-w-md flex-col items-center gap-3 px-4 py-12 text-center">
      <span className="text-ink-3">
        <Icon name={icon} size={24} />
      </span>
      <Title className="text-lg font-semibold wrap-anywhere">{title}</Title>
      {isPage && <PageName title={title} />}
      {children !== undefined && <div className="text-ink-2 wrap-anywhere">{children}</div>}
      {action}
    </div>
  );
}

/** What has come in place of the page is what the tab is called. That it has come, its role tells. */
function PageName({ title }: { title: string }) {
  useEffect(() => {
    document.title = `${title} · FlowForge`;
  }, [title]);
  return null;
}

/** Nothing is there yet: one sentence and one thing to do. */
export function EmptyState({ children, ...rest }: Omit<PanelProps, "role">) {
  return (
    <Panel {...rest}>{children}</Panel>
  );
}

interface ErrorStateProps {
  error: unknown;
  onRetry?: () => void;
  /** What it asked for is on its way. */
  isRetrying?: boolean;
  /** What came of the last try, where that is nothing. */
  said?: ReactNode;
  isPage?: boolean;
  /** Where one goes on from what is not there: a link. */
  way?: ReactNode;
}

/** What failed, why, and how to try again. Where the role is what is missing, another try gives the same. */
export function ErrorState({ error, onRetry, isRetrying = false, said, isPage = false, way }: ErrorStateProps) {
  const requestId = error instanceof ApiProblem ? error.requestId : undefined;
  if (isForbidden(error)) {
    return (
      <PermissionState isPage={isPage}>
        <p>{describeError(error)} Owners of the workspace give roles.</p>
        <RequestId id={requestId} />
      </PermissionState>
    );
  }
  return (
    <Panel
      role="alert"
      isPage={isPage}
      icon={iconOf(error)}
      title={titleOf(error)}
      action={
        <div className="flex flex-wrap justify-center gap-2">
          {isGone(error) && way}
          {onRetry !== undefined && (
            <Button icon="refresh" isBusy={isRetrying} onClick={onRetry}>
              Try again
            </Button>
          )}
        </div>
      }
    >
      <p>{describeError(error)}</p>
      {said !== undefined && <p className="mt-2">{said}</p>}
      <RequestId id={requestId} />
    </Panel>
  );
}

function RequestId({ id }: { id: string | undefined }) {
  return id !== undefined && <p className="mt-2 font-mono text-xs text-ink-3">Request {id}</p>;
}

/** What is not for this role: which one it takes, and who gives it. */
export function PermissionState({ children, isPage = false }: { children: ReactNode; isPage?: boolean }) {
  return (
    <Panel role="alert" isPage={isPage} icon="lock" title="Not for your role">
      {children}
    </Panel>
  );
}

/** Whether it was refused for the role of whoever asked. */
export function isForbidden(error: unknown): boolean {
  return error instanceof ApiProblem && error.status === 403;
}

export function isGone(error: unknown): boolean {
  return error instanceof ApiProblem && error.status === 404;
}

function titleOf(error: unknown): string {
  if (error instanceof Unreachable) return "No connection";
  if (isGone(error)) return "Not found";
  return "This did not work";
}

function iconOf(error: unknown): IconName {
  return error instanceof Unreachable ? "offline" : "warning";
}

const PATIENCE_MS = 300;

/** Lines in the shape of what comes. What comes at once is not announced. */
export function LoadingRows({ rows = 6 }: { rows?: number }) {
  const [isLate, setIsLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setIsLate(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, []);
  if (!isLate) return null;
  return (
    <div role="status" aria-label="Loading" className="flex flex-col gap-3 p-4">
      {Array.from({ length: rows }, (_, row) => (
        <div key={row} className="h-4 rounded-chip bg-sunken" />
      ))}
    </div>
  );
}
