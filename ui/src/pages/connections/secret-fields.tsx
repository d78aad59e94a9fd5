import { useState } from "react";
import { Button, IconButton } from "@/components/ui/button";
import { CopyButton } from "@/components/ui/copy-button";
import { Field } from "@/components/ui/field";
import { SelectField } from "@/components/ui/select-field";
import { SIGN_IN_TYPE, type SecretField, formOf } from "./types";

interface SecretFieldsProps {
  type: string;
  faults: ReadonlyMap<string, string>;
  redirect: string;
}

/** What the secret of a type is made of. Nothing of it ever comes back from the server. */
export function SecretFields({ type, faults, redirect }: SecretFieldsProps) {
  const { fields, sends } = formOf(type);
  return (
    <div role="group" aria-label="Secret" className="flex flex-col gap-4 rounded-control border border-line p-3">
      <p className="text-ink-2">
        Steps send {sends}. What you give here is sealed at once: nobody reads it again, only replaces it.
      </p>
      {type === SIGN_IN_TYPE && <Redirect address={redirect} />}
      {fields === undefined ? (
        <Headers fault={faults.get("/secret/headers")} />
      ) : (
        fields.map((field) => <OneField key={field.name} field={field} fault={faults.get(`/secret/${field.name}`)} />)
      )}
    </div>
  );
}

function OneField({ field, fault }: { field: SecretField; fault: string | undefined }) {
  const name = `secret.${field.name}`;
  if (field.options !== undefined) {
    return (
      <SelectField label={field.label} name={name}>
        {field.options.map(({ value, label }) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </SelectField>
    );
  }
  return (
    <Field
      label={field.isOptional === true ? `${field.label} (optional)` : field.label}
      name={name}
      type={field.isShown === true ? "text" : "password"}
      autoComplete={field.isShown === true ? "off" : "new-password"}
      spellCheck={false}
      required={field.isOptional !== true}
      maxLength={8192}
      error={fault}
      {...(field.hint === undefined ? {} : { hint: field.hint })}
    />
  );
}

const MOST_HEADERS = 20;

function Headers({ fault }: { fault: string | undefined }) {
  const [rows, setRows] = useState([0]);
  return (
    <>
      {rows.map((row, index) => (
        <div key={row} role="group" aria-label={`Header ${index + 1}`} className="flex items-end gap-2">
          <div className="min-w-0 flex-1">
            <Field label="Header" name="header.name" autoComplete="off" spellCheck={false} required maxLength={128} />
          </div>
          <div className="min-w-0 flex-1">
            <Field label="Value" name="header.value" type="password" autoComplete="new-password" required maxLength={8192} />
          </div>
          <IconButton
            label={`Remove header ${index + 1}`}
            icon="close"
            disabled={rows.length === 1}
            onClick={() => setRows(rows.filter((one) => one !== row))}
          />
        </div>
      ))}
      {fault !== undefined && <p className="text-xs text-failed">{fault}</p>}
      <div>
        <Button
          icon="plus"
          disabled={rows.length >= MOST_HEADERS}
          onClick={() => setRows([...rows, (rows.at(-1) ?? 0) + 1])}
        >
          Another header
        </Button>
      </div>
    </>
  );
}

/** What the other system must know beforehand. */
export function Redirect({ address }: { address: string }) {
  return (
    <div className="flex flex-col gap-1">
      <p className="font-semibold">Redirect address</p>
      <p className="text-xs text-ink-3">Register it at the other system: there it sends whoever has signed in.</p>
      <div className="flex items-center gap-2">
        <code className="min-w-0 grow font-mono text-xs wrap-anywhere">{address}</code>
        <CopyButton text={address} what="The redirect address" />
      </div>
    </div>
  );
}
