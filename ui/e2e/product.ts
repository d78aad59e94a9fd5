import { URL_OF_PRODUCT } from "./browser";

export const OWNER = { name: "Olga Owner", email: "owner@example.com", password: "correct horse battery staple" };

/** The API as the owner, for what a journey needs before it begins. */
export class Owner {
  private constructor(private readonly token: string) {}

  /** Sign in, and set the product up first where nobody has. */
  static async signIn(): Promise<Owner> {
    const { needed } = (await (await fetch(`${URL_OF_PRODUCT}/v1/setup`)).json()) as { needed: boolean };
    const { name, email, password } = OWNER;
    const tokens = needed
      ? await post("/v1/setup", { name, email, password, workspace: "Main" })
      : await post("/v1/auth/login", { email, password });
    return new Owner((tokens as { access_token: string }).access_token);
  }

  /** The owner in a workspace of the test's own: nothing of other journeys is in it. */
  static async inWorkspace(name: string): Promise<Owner> {
    const owner = await Owner.signIn();
    const { id } = await owner.post("/v1/workspaces", { name });
    const tokens = await owner.post<{ access_token: string }>("/v1/auth/switch", { workspace_id: id });
    return new Owner(tokens.access_token);
  }

  /** The owner in a workspace that is there. */
  static async into(name: string): Promise<Owner> {
    const owner = await Owner.signIn();
    const { items } = await owner.get<{ items: { id: string; name: string }[] }>("/v1/workspaces");
    const workspace = items.find((one) => one.name === name);
    if (workspace === undefined) throw new Error(`there is no workspace ${name}`);
    const tokens = await owner.post<{ access_token: string }>("/v1/auth/switch", { workspace_id: workspace.id });
    return new Owner(tokens.access_token);
  }

  post<T = { id: string }>(path: string, body: unknown = {}): Promise<T> {
    return send("POST", path, body, this.token) as Promise<T>;
  }

  get<T = unknown>(path: string): Promise<T> {
    return send("GET", path, undefined, this.token) as Promise<T>;
  }

  put<T = unknown>(path: string, body: unknown): Promise<T> {
    return send("PUT", path, body, this.token) as Promise<T>;
  }

  patch<T = unknown>(path: string, body: unknown, headers: Record<string, string> = {}): Promise<T> {
    return send("PATCH", path, body, this.token, headers) as Promise<T>;
  }

  /** A published workflow. */
  async publish(name: string, steps: readonly unknown[], more: Record<string, unknown> = {}): Promise<string> {
    const definition = { schema: 1, steps };
    const { id, problems } = await this.post<{ id: string; problems: unknown[] }>("/v1/workflows", { name, definition, ...more });
    if (problems.length > 0) throw new Error(`${name} has faults: ${JSON.stringify(problems)}`);
    await this.post(`/v1/workflows/${id}/publish`);
    return id;
  }

  /** Somebody else in the workspace, with this role. */
  async invite(email: string, role: string, name = "Vera Viewer"): Promise<void> {
    const { url } = await this.post<{ url: string }>("/v1/invitations", { email, role });
    const token = new URL(url).hash.slice(1);
    await post("/v1/invitations/accept", { token, name, password: OWNER.password });
  }

  /** A run that was accepted. */
  async start(workflowId: string, input: unknown = {}): Promise<string> {
    const { run_id } = await this.post<{ run_id: string }>(`/v1/workflows/${workflowId}/runs`, { input });
    return run_id;
  }
}

/** Send an event to a hook, as whoever calls it does. A key that comes again makes it a repeat. */
export async function deliver(hook: string, body: unknown, key: string): Promise<void> {
  const address = new URL(new URL(hook).pathname, URL_OF_PRODUCT);
  const headers = { "content-type": "application/json", "idempotency-key": key };
  const response = await fetch(address, { method: "POST", headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`an event was answered with ${response.status}: ${await response.text()}`);
}

function post(path: string, body: unknown): Promise<unknown> {
  return send("POST", path, body);
}

async function send(method: string, path: string, body: unknown, token?: string, more: Record<string, string> = {}): Promise<unknown> {
  const response = await fetch(URL_OF_PRODUCT + path, {
    method,
    headers: { "content-type": "application/json", ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...more },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${await response.text()}`);
  return response.json();
}
