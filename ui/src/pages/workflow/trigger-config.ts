import { type Config, typeOfAuth } from "@/features/triggers/trigger";
import type { Schemas } from "@/lib/api";
import { readExact, writeExact } from "@/lib/exact-json";
import { TIMINGS } from "@/lib/trigger-words";

export type TriggerType = Schemas["NewTrigger"]["type"];
export type Timing = keyof typeof TIMINGS;

/** What the form of a trigger holds: texts, as they are typed. Settings that it has no field for are in `more`, as JSON. */
export interface TriggerForm {
  type: TriggerType;
  auth: string;
  secret: string;
  filter: string;
  dedupKey: string;
  isSync: boolean;
  timing: Timing;
  when: string;
  timezone: string;
  missed: string;
  event: string;
  workflowId: string;
  more: string;
}

/** The names of the settings that have a field of their own. */
const FIELDS = {
  webhook: ["auth", "filter", "dedup_key", "respond"],
  schedule: ["cron", "every_seconds", "at", "timezone", "missed"],
  event: ["event", "workflow_id", "filter"],
} satisfies Record<TriggerType, readonly string[]>;

/** The form of a trigger that is there, or of a new one. */
export function readForm(type: TriggerType, config: Config = {}): TriggerForm {
  const text = (name: string, otherwise = "") => (config[name] === undefined ? otherwise : String(config[name]));
  const timing = (Object.keys(TIMINGS) as Timing[]).find((one) => one in config) ?? "cron";
  const known: readonly string[] = FIELDS[type];
  const more = Object.fromEntries(Object.entries(config).filter(([name]) => !known.includes(name)));
  return {
    type,
    auth: typeOfAuth(config),
    secret: "",
    filter: text("filter"),
    dedupKey: text("dedup_key"),
    isSync: config["respond"] === "sync",
    timing,
    when: text(timing),
    timezone: text("timezone", "UTC"),
    missed: text("missed", "run_once"),
    event: text("event", "run.failed"),
    workflowId: text("workflow_id"),
    more: Object.keys(more).length === 0 ? "" : writeExact(more, 2),
  };
}

/** The configuration that a form stands for; `before` is that of the trigger that is changed. Raises where `more` is no JSON object. */
export function writeConfig(form: TriggerForm, before: Config = {}): Config {
  const more = form.more.trim() === "" ? {} : readObject(form.more);
  const given = (name: string, value: string) => (value.trim() === "" ? {} : { [name]: value });
  if (form.type === "schedule") {
    const when = form.timing === "every_seconds" ? Number(form.when) : form.when.trim();
    const zone = form.timing === "cron" ? { timezone: form.timezone } : {};
    return { ...more, [form.timing]: when, ...zone, missed: form.missed };
  }
  if (form.type === "event") {
    return { ...more, event: form.event, ...given("workflow_id", form.workflowId), ...given("filter", form.filter) };
  }
  return {
    ...more,
    auth: writeAuth(form, before),
    ...given("filter", form.filter),
    ...given("dedup_key", form.dedupKey),
    respond: form.isSync ? "sync" : "accepted",
  };
}

/** The settings of an authentication stay with its kind; a secret that is left empty stays as it is. */
function writeAuth({ auth, secret }: TriggerForm, before: Config): unknown {
  if (auth === "none") return "none";
  const kept = typeOfAuth(before) === auth ? (before["auth"] as Config) : {};
  return { ...kept, type: auth, ...(secret === "" ? {} : { secret }) };
}

function readObject(text: string): Config {
  const value = readExact(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("More settings are a JSON object.");
  return value as Config;
}
