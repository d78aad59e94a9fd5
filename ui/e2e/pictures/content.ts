import { vi } from "vitest";
import { PATIENCE_MS } from "../browser.ts";
import { Owner, deliver } from "../product.ts";

/** What the pictures show: ids that addresses need. */
export interface Content {
  failedRun: string;
  fineRun: string;
  orders: string;
  report: string;
  connection: string;
  /** The token of one that nobody has accepted yet. */
  invitation: string;
}

const ORDER = [
  { id: "read", name: "Read the order", type: "transform", with: { values: { total: "{{ input.total }}" } } },
  { id: "large", name: "A large order?", type: "if", with: { condition: "steps.read.output.total > 100" }, after: ["read"] },
  { id: "charge", name: "Charge the card", type: "fail", with: { message: "The card was declined" }, after: ["large.true"] },
  { id: "thank", name: "Thank the customer", type: "transform", with: { values: {} }, after: ["large.false"] },
  { id: "ship", name: "Ship it", type: "transform", with: { values: {} }, after: ["charge"] },
];

/** A workspace in which something has happened, on a product that nobody has set up yet. */
export async function furnish(): Promise<Content> {
  const owner = await Owner.signIn();
  const orders = await owner.publish("Order fulfilment", ORDER, { description: "Charges, packs and tells the customer." });
  const mail = await owner.publish("Weekly report", [{ id: "sum", type: "transform", with: { values: { text: "hello" } } }]);
  const refund = await owner.publish("Refund", [
    { id: "ask", name: "Ask for a decision", type: "approval", with: { message: "Refund order {{ input.order }} of 120 euros?" } },
    { id: "pay", type: "transform", with: { values: {} }, after: ["ask"] },
  ]);
  await owner.post("/v1/workflows", { name: "Returns", description: "A draft.", definition: { schema: 1, steps: ORDER.slice(0, 2) } });
  await Promise.all([
    ...Array.from({ length: 9 }, () => owner.start(orders, { total: 40 })),
    ...Array.from({ length: 4 }, () => owner.start(mail)),
    ...[1041, 1042, 1043].map((order) => owner.start(refund, { order })),
  ]);
  await approve(owner, "order 1041");
  const report = await addHook(owner, mail, { auth: "none", filter: "trigger.body.total > 0" });
  // Two of them are repeats, and one is left out by the filter.
  for (const total of [10, 20, 30, 30, 10, 0]) await deliver(report, { total }, `order-${total}`);
  // One waits for others, and one is signed by nobody.
  const held = await addHook(owner, refund, { auth: "none", debounce: { period: 3600 } });
  await deliver(held, { order: 1044 }, "refund-1044");
  const signed = await addHook(owner, refund, { auth: { type: "github", secret: "a secret of the shop" } });
  await fetch(signed, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
  const fineRun = await owner.start(orders, { total: 40 });
  const failedRun = await owner.start(orders, { total: 120 });
  await owner.post("/v1/api-keys", { name: "Nightly build", role: "operator" });
  await owner.post("/v1/api-keys", { name: "Dashboard on the wall", role: "viewer" });
  const connection = await owner.post("/v1/connections", {
    name: "shop",
    type: "bearer",
    secret: { token: "a token of the shop" },
    allowed_hosts: ["shop.example"],
  });
  await owner.put("/v1/vars/region", { value: { name: "eu", max_orders: 100 } });
  await owner.put("/v1/vars/greeting", { value: "Hello" });
  await owner.invite("grace@example.com", "editor", "Grace Hopper");
  const invited = await owner.post<{ url: string }>("/v1/invitations", { email: "ada@example.com", role: "operator" });
  return { failedRun, fineRun, orders, report: mail, connection: connection.id, invitation: new URL(invited.url).hash.slice(1) };
}

/** Approve what is asked for with these words, once it is asked for. */
async function approve(owner: Owner, words: string): Promise<void> {
  const { id } = await vi.waitUntil(
    async () => {
      const { items } = await owner.get<{ items: { id: string; message: string }[] }>("/v1/approvals?status=pending");
      return items.find(({ message }) => message.includes(words));
    },
    { timeout: PATIENCE_MS },
  );
  await owner.post(`/v1/approvals/${id}`, { decision: "approved", comment: "A good customer" });
}

/** The address of a new hook of a workflow. */
async function addHook(owner: Owner, workflow: string, config: unknown): Promise<string> {
  return (await owner.post<{ url: string }>(`/v1/workflows/${workflow}/triggers`, { type: "webhook", config })).url;
}
