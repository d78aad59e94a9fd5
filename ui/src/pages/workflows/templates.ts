import type { Definition } from "./api";

export interface Template {
  name: string;
  description: string;
  definition: Definition;
}

/** What a new installation can be tried with: they call nothing outside. */
export const TEMPLATES: readonly Template[] = [
  {
    name: "Hello",
    description: "One step that makes a greeting from its input.",
    definition: {
      schema: 1,
      steps: [{ id: "greet", type: "transform", with: { values: { text: "Hello from run {{ run.id }}" } } }],
      output: { text: "{{ steps.greet.output.text }}" },
    },
  },
  {
    name: "Wait, then decide",
    description: "A pause of five seconds, then a choice between two ways.",
    definition: {
      schema: 1,
      steps: [
        { id: "pause", type: "delay", name: "Wait five seconds", with: { seconds: 5 } },
        { id: "first", type: "if", name: "First attempt?", with: { condition: "run.attempt == 1" }, after: ["pause"] },
        { id: "fresh", type: "transform", with: { values: { way: "the first way" } }, after: ["first.true"] },
        { id: "again", type: "transform", with: { values: { way: "the other way" } }, after: ["first.false"] },
      ],
    },
  },
  {
    name: "Ask a person",
    description: "The run waits until somebody approves or rejects.",
    definition: {
      schema: 1,
      steps: [
        { id: "ask", type: "approval", name: "Ask for a decision", with: { message: "Shall this go on?" } },
        {
          id: "done",
          type: "transform",
          with: { values: { decided_by: "{{ steps.ask.output.by }}" } },
          after: ["ask.approved"],
        },
        { id: "stopped", type: "transform", with: { values: { went_on: false } }, after: ["ask.rejected"] },
      ],
    },
  },
];
