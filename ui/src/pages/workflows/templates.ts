import type { Definition } from "@/features/workflows/api";

export interface Template {
  name: string;
  description: string;
  definition: Definition;
}

/** What people begin with: whole workflows, whose addresses at example.com are to be exchanged for one's own. */
export const TEMPLATES: readonly Template[] = [
  {
    name: "Hello",
    description: "One step that makes a greeting from its input. It calls nothing outside.",
    definition: {
      schema: 1,
      steps: [{ id: "greet", type: "transform", name: "Greet", with: { values: { text: "Hello from run {{ run.id }}" } } }],
      output: { text: "{{ steps.greet.output.text }}" },
    },
  },
  {
    name: "Take an order by webhook",
    description: "Checks what a webhook brings, sends it on with retries, answers the caller, and tells somebody where that fails for good.",
    definition: {
      schema: 1,
      steps: [
        {
          id: "complete",
          type: "if",
          name: "Is the order complete?",
          with: { condition: "has(trigger.body.id) && has(trigger.body.total)" },
        },
        {
          id: "refuse",
          type: "respond",
          name: "Refuse it",
          with: { status: 422, body: { error: "an order has an id and a total" } },
          after: ["complete.false"],
        },
        {
          id: "accept",
          type: "http",
          name: "Hand it to the shop",
          with: { method: "POST", url: "https://shop.example.com/orders", json: "{{ trigger.body }}" },
          retry: { max_attempts: 5, initial: 1, factor: 2, max: 60 },
          after: ["complete.true"],
        },
        {
          id: "answer",
          type: "respond",
          name: "Answer the caller",
          with: { status: 201, body: { order: "{{ steps.accept.output.body }}" } },
          after: ["accept"],
        },
        {
          id: "tell",
          type: "http",
          name: "Tell the team",
          with: {
            method: "POST",
            url: "https://chat.example.com/hook",
            json: { text: "Order {{ trigger.body.id }} was not taken: {{ steps.accept.error.message }}" },
          },
          after: ["accept.error"],
        },
      ],
    },
  },
  {
    name: "Watch a service",
    description: "For a schedule: asks a service whether it is well, and raises an alarm where it does not answer or is slow.",
    definition: {
      schema: 1,
      steps: [
        {
          id: "ask",
          type: "http",
          name: "Ask the service",
          with: { method: "GET", url: "https://service.example.com/health" },
          timeout: 10,
          retry: { max_attempts: 3, initial: 5, factor: 2, max: 30 },
        },
        { id: "slow", type: "if", name: "Is it slow?", with: { condition: "steps.ask.output.elapsed_ms > 2000" }, after: ["ask"] },
        {
          id: "warn",
          type: "http",
          name: "Warn that it is slow",
          with: {
            method: "POST",
            url: "https://chat.example.com/hook",
            json: { text: "The service took {{ steps.ask.output.elapsed_ms }} ms." },
          },
          after: ["slow.true"],
        },
        {
          id: "alarm",
          type: "http",
          name: "Raise the alarm",
          with: {
            method: "POST",
            url: "https://alerts.example.com/incidents",
            json: { title: "The service is down", why: "{{ steps.ask.error.message }}" },
          },
          after: ["ask.error"],
        },
      ],
    },
  },
  {
    name: "Ask a person first",
    description: "Somebody approves or rejects, within a day; each way goes on by itself.",
    definition: {
      schema: 1,
      steps: [
        {
          id: "ask",
          type: "approval",
          name: "Ask for a decision",
          with: { message: "Shall this go on? {{ has(input.what) ? input.what : '' }}", timeout: 86_400 },
        },
        {
          id: "done",
          type: "transform",
          name: "Go on",
          with: { values: { decided_by: "{{ steps.ask.output.by }}", comment: "{{ steps.ask.output.comment }}" } },
          after: ["ask.approved"],
        },
        { id: "stopped", type: "fail", name: "Stop here", with: { message: "It was rejected." }, after: ["ask.rejected"] },
        { id: "late", type: "fail", name: "Nobody decided", with: { message: "Nobody decided within a day." }, after: ["ask.timeout"] },
      ],
      output: { decision: "{{ steps.ask.output.decision }}" },
    },
  },
  {
    name: "Do something for each item",
    description: "Reads a list, works on its items four at a time, goes on past those that fail, and sums up.",
    definition: {
      schema: 1,
      steps: [
        { id: "list", type: "http", name: "Read the list", with: { method: "GET", url: "https://shop.example.com/customers" } },
        {
          id: "each",
          type: "foreach",
          name: "For each customer",
          with: { items: "steps.list.output.body", concurrency: 4, on_item_error: "continue" },
          steps: [
            {
              id: "write",
              type: "http",
              name: "Write to them",
              with: { method: "POST", url: "https://mail.example.com/messages", json: { to: "{{ item.email }}" } },
            },
          ],
          after: ["list"],
        },
        {
          id: "sum",
          type: "transform",
          name: "Sum up",
          with: {
            values: {
              written: "{{ size(steps.each.output.filter(one, !has(one.error))) }}",
              failed: "{{ size(steps.each.output.filter(one, has(one.error))) }}",
            },
          },
          after: ["each"],
        },
      ],
      output: "{{ steps.sum.output }}",
    },
  },
  {
    name: "Remind until it is done",
    description: "Waits for a signal; where it does not come in time, reminds, waits again, and hands it on in the end.",
    definition: {
      schema: 1,
      steps: [
        { id: "first", type: "wait", name: "Wait until it is done", with: { signal: "done", timeout: 3600 } },
        {
          id: "remind",
          type: "http",
          name: "Remind",
          with: { method: "POST", url: "https://chat.example.com/hook", json: { text: "Still open: run {{ run.id }}" } },
          after: ["first.timeout"],
        },
        { id: "second", type: "wait", name: "Wait once more", with: { signal: "done", timeout: 86_400 }, after: ["remind"] },
        {
          id: "hand_on",
          type: "http",
          name: "Hand it on",
          with: { method: "POST", url: "https://chat.example.com/hook", json: { text: "Nobody did it: run {{ run.id }}" } },
          after: ["second.timeout"],
        },
        { id: "close", type: "transform", name: "Close it", with: { values: { is_done: true } }, after: ["first", "second"], join: "any" },
      ],
    },
  },
];
