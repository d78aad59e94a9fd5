import { type ReactNode, useRef, useState } from "react";
import { Button, IconButton } from "@/components/ui/button";
import { Checkbox } from "@/components/ui/checkbox";
import { CodeField } from "@/components/ui/code-field";
import { ConfirmByName } from "@/components/ui/confirm-by-name";
import { Dialog } from "@/components/ui/dialog";
import { Field, Search, Select } from "@/components/ui/field";
import { FormDialog } from "@/components/ui/form-dialog";
import { Health, HealthLine } from "@/components/ui/health";
import { JsonDialog } from "@/components/ui/json-dialog";
import { Lamp, StatusBadge } from "@/components/ui/lamp";
import { ShowMore, Stale } from "@/components/ui/loaded";
import { LongText } from "@/components/ui/long-text";
import { Menu, MenuItem, MenuLabel, MenuLine, MenuLink } from "@/components/ui/menu";
import { Figure, Panel } from "@/components/ui/panel";
import { PeriodSelect } from "@/components/ui/period-select";
import { Plate } from "@/components/ui/plate";
import { EmptyState, ErrorState, LoadingRows } from "@/components/ui/states";
import { type Column, Table } from "@/components/ui/table";
import { toast } from "@/components/ui/toasts";
import { ToneToggles } from "@/components/ui/tone-toggles";
import { Track } from "@/components/ui/track";
import { WhyNot } from "@/components/ui/why-not";
import { ApiProblem, Unreachable } from "@/lib/problem";
import { RUN_STATUSES, STATUS_LOOKS, type StepStatus, TONES } from "@/lib/status";
import { THEMES, setTheme } from "@/lib/theme";

const ASKED = { data: [], isPending: false, isFetching: false, refetch: () => undefined };
const ANSWER = { isFetchNextPageError: false, error: null };
const MORE = { ...ANSWER, hasNextPage: true, isFetchingNextPage: false, fetchNextPage: () => Promise.resolve(ANSWER) };
const COLUMNS: readonly Column<string>[] = [
  { title: "Name", cell: (name) => name },
  { title: "Changed", from: "md", look: "text-ink-2", cell: () => "just now" },
  { title: "Actions", isForActions: true, width: "w-12", cell: (name) => <IconButton label={`Actions for ${name}`} icon="more" /> },
];
const refused = (status: number, detail: string) => new ApiProblem({ detail }, new Response(null, { status }));

/** Every part of the design system in all its states. */
export function CataloguePage() {
  const [isOpen, setIsOpen] = useState(false);
  const [isFilling, setIsFilling] = useState(false);
  const [isAsking, setIsAsking] = useState(false);
  const [json, setJson] = useState<string>();
  const field = useRef<HTMLInputElement>(null);
  return (
    <main className="mx-auto flex max-w-5xl flex-col gap-8 p-6">
      <h1 className="text-2xl font-semibold">Catalogue</h1>
      <Part title="Theme">
        {THEMES.map((theme) => (
          <Button key={theme} onClick={() => setTheme(theme)}>
            {theme}
          </Button>
        ))}
      </Part>
      <Part title="Statuses">
        {(Object.keys(STATUS_LOOKS) as StepStatus[]).map((status) => (
          <StatusBadge key={status} status={status} />
        ))}
        <StatusBadge status="retrying" detail="2/5" />
      </Part>
      <Part title="Lamps">
        {TONES.map((tone) => (
          <Lamp key={tone} tone={tone} size={24} />
        ))}
      </Part>
      <Part title="Plates">
        <Plate kind="trigger" title="Order placed" summary="webhook" />
        <Plate kind="action" title="Charge the card of the customer" summary="POST payments.example" tone="failed" right="418 ms" problems={1} />
        <Plate kind="delay" title="Wait an hour" summary="3,600 s" tone="waiting" />
        <Plate kind="choice" title="Large order?" summary="total > 100" tone="succeeded" isSelected />
        <Plate kind="action" title="Tell the chat" summary="POST chat.example" tone="skipped" isDisabled />
      </Part>
      <Part title="Tracks">
        {TONES.map((tone) => (
          <svg key={tone} width="120" height="48" aria-label={tone} role="img">
            <Track tone={tone} from={{ x: 8, y: 8 }} to={{ x: 112, y: 40 }} />
          </svg>
        ))}
      </Part>
      <Part title="Controls">
        <Button kind="primary">Primary</Button>
        <Button>Secondary</Button>
        <Button kind="quiet">Quiet</Button>
        <Button kind="danger">Danger</Button>
        <Button isBusy>Busy</Button>
        <IconButton label="More" icon="more" />
        <Search label="Search" text="" onText={() => undefined} field={field} className="w-48" />
        <Select label="Choice">
          <option>One</option>
        </Select>
        <Menu trigger={<Button icon="down">Menu</Button>}>
          <MenuLabel>Group</MenuLabel>
          <MenuItem icon="copy" onSelect={() => toast("done", "It was copied.")}>
            Copy
          </MenuItem>
          <MenuLink icon="link" href="/docs/api">
            Elsewhere
          </MenuLink>
          <MenuLine />
          <MenuItem icon="trash" isDangerous onSelect={() => toast("failed", "It was not deleted. Try again.")}>
            Delete
          </MenuItem>
        </Menu>
        <Button onClick={() => setIsOpen(true)}>Dialog</Button>
        <Dialog isOpen={isOpen} onClose={() => setIsOpen(false)} title="A dialog" actions={<Button kind="primary">Act</Button>}>
          <p>What it says.</p>
        </Dialog>
        <Button onClick={() => setIsFilling(true)}>Dialog with a form</Button>
        {isFilling && (
          <FormDialog title="New thing" verb="Make it" isBusy={false} onClose={() => setIsFilling(false)} onSubmit={() => setIsFilling(false)}>
            <Field label="Name" hint="As others see it." />
          </FormDialog>
        )}
        <Button onClick={() => setIsAsking(true)}>Dialog that asks for a name</Button>
        {isAsking && (
          <ConfirmByName name="thing" title="Delete thing?" verb="Delete" onClose={() => setIsAsking(false)} onConfirm={() => setIsAsking(false)}>
            It cannot be brought back.
          </ConfirmByName>
        )}
        <Button onClick={() => setJson('{"total": }')}>Dialog that asks for JSON</Button>
        {json !== undefined && (
          <JsonDialog
            title="Start a thing"
            verb="Start it"
            label="Input"
            text={json}
            onText={setJson}
            sent={{ isPending: false, error: null }}
            onClose={() => setJson(undefined)}
            onSend={() => setJson(undefined)}
          >
            What the JSON is for.
          </JsonDialog>
        )}
      </Part>
      <Part title="Fields">
        <Field label="Name" hint="As others see it." />
        <Field label="Email" defaultValue="nobody" error="This is no email address." />
        {[false, true].map((isOn) => (
          <Checkbox key={String(isOn)} isOn={isOn} onChange={() => undefined}>
            {isOn ? "It is on" : "It is off"}
          </Checkbox>
        ))}
      </Part>
      <Part title="Text of many lines">
        <CodeField label="Without faults" text={'{\n  "schema": 1\n}'} rows={4} className="w-80" />
        <CodeField label="With a fault" text={'{\n  "schema": one\n}'} faults={new Map([[2, "a value is expected"]])} rows={4} className="w-80" />
      </Part>
      <Part title="States">
        <EmptyState icon="runs" title="No runs yet" action={<Button>To the workflows</Button>} />
        <ErrorState error={refused(500, "Something went wrong on our side.")} onRetry={() => undefined} />
        <ErrorState error={new Unreachable(undefined)} onRetry={() => undefined} />
        <ErrorState error={refused(403, "Your role does not hold the permission audit:read.")} />
        <ErrorState error={refused(404, "There is nothing here that you can see.")} />
        <div className="w-80">
          <LoadingRows />
        </div>
        <WhyNot>It takes an editor to change variables.</WhyNot>
        <div className="w-full">
          <Stale query={{ ...ASKED, error: new Unreachable(undefined) }} />
        </div>
      </Part>
      <Part title="Health">
        <Health>
          <HealthLine tone="succeeded">Every process is at work.</HealthLine>
          <HealthLine tone="failed">No worker lives: start one.</HealthLine>
        </Health>
      </Part>
      <Part title="Panels">
        <Panel id="catalogue-panel" title="A titled part">
          <p className="text-ink-2">What it tells.</p>
        </Panel>
        <dl>
          <Figure label="Runs" note="3 running">
            1,284
          </Figure>
        </dl>
      </Part>
      <Part title="Filters">
        <ToneToggles label="Status" names={RUN_STATUSES} looks={STATUS_LOOKS} chosen={["failed"]} onChange={() => undefined} />
        <ToneToggles
          label="Status, counted"
          names={RUN_STATUSES}
          looks={STATUS_LOOKS}
          chosen={[]}
          onChange={() => undefined}
          counts={{ say: () => "50,000+", explanation: "Of very many the newest were counted." }}
        />
        <PeriodSelect period="24h" onChange={() => undefined} />
      </Part>
      <Part title="Long text">
        <LongText text="It has room." />
        <LongText text={"It was declined, as it was before. ".repeat(80)} lines={3} />
      </Part>
      <Part title="Table">
        <div className="w-full">
          <Table label="Things" columns={COLUMNS} rows={["One", "Another"]} keyOf={(name) => name} />
          <ShowMore query={MORE} />
          <ShowMore query={{ ...MORE, isFetchNextPageError: true, error: new Unreachable(undefined) }} />
        </div>
      </Part>
    </main>
  );
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="flex flex-col gap-3">
      <h2 className="text-lg font-semibold">{title}</h2>
      <div className="flex flex-wrap items-center gap-3 rounded-dialog border border-line bg-surface p-4">{children}</div>
    </section>
  );
}
