import type { Schemas } from "@/lib/api";

export type ConnectionType = Schemas["ConnectionDetail"]["type"];

export interface SecretField {
  name: string;
  label: string;
  hint?: string;
  /** Whether it may be seen while it is typed. */
  isShown?: boolean;
  isOptional?: boolean;
  /** The values that it may have; the first is what is meant where it is left out. */
  options?: readonly { value: string; label: string }[];
}

interface TypeForm {
  label: string;
  /** What a request carries for it. */
  sends: string;
  /** Undefined where the secret is a list of headers. */
  fields: readonly SecretField[] | undefined;
}

const CLIENT_AUTH: SecretField = {
  name: "client_auth",
  label: "How the client proves who it is",
  isShown: true,
  isOptional: true,
  options: [
    { value: "basic", label: "In the Authorization header" },
    { value: "post", label: "In the body" },
  ],
};
const SCOPE: SecretField = { name: "scope", label: "Scope", isShown: true, isOptional: true, hint: "Several are parted by blanks." };
const ISSUER: SecretField = {
  name: "issuer",
  label: "Issuer",
  isShown: true,
  isOptional: true,
  hint: "What the other system calls itself in iss when it sends you back. Needed where that is of another host than the sign-in address.",
};
const AUDIENCE: SecretField = { name: "audience", label: "Audience", isShown: true, isOptional: true };

const FORMS = {
  bearer: {
    label: "Bearer token",
    sends: "Authorization: Bearer …",
    fields: [{ name: "token", label: "Token" }],
  },
  basic: {
    label: "User name and password",
    sends: "Authorization: Basic …",
    fields: [
      { name: "username", label: "User name", isShown: true, isOptional: true },
      { name: "password", label: "Password", isOptional: true },
    ],
  },
  api_key: {
    label: "API key in a header",
    sends: "the header that you name",
    fields: [
      { name: "header", label: "Header", isShown: true, hint: "For example X-Api-Key." },
      { name: "value", label: "Key" },
    ],
  },
  custom_headers: { label: "Several headers", sends: "the headers that you name", fields: undefined },
  oauth2_client_credentials: {
    label: "OAuth 2.0 client",
    sends: "Authorization: Bearer …, with an access token that FlowForge gets and renews",
    fields: [
      { name: "token_url", label: "Token address", isShown: true, hint: "Where access tokens are given out." },
      { name: "client_id", label: "Client id", isShown: true },
      { name: "client_secret", label: "Client secret" },
      SCOPE,
      AUDIENCE,
      CLIENT_AUTH,
    ],
  },
  oauth2_authorization_code: {
    label: "OAuth 2.0 with a sign-in",
    sends: "Authorization: Bearer …, with what you are given when you sign in at the other system",
    fields: [
      { name: "authorize_url", label: "Sign-in address", isShown: true, hint: "Where the other system asks you to sign in." },
      { name: "token_url", label: "Token address", isShown: true, hint: "Where access tokens are given out." },
      { name: "client_id", label: "Client id", isShown: true },
      { name: "client_secret", label: "Client secret" },
      SCOPE,
      AUDIENCE,
      ISSUER,
      CLIENT_AUTH,
    ],
  },
} as const satisfies Record<ConnectionType, TypeForm>;

export const SIGN_IN_TYPE = "oauth2_authorization_code";

/** The types that can be made, in the order in which they are offered. */
export const TYPES = Object.keys(FORMS) as ConnectionType[];

/** What a type is called and asks for; one that is newer than this page is called by its own name. */
export function formOf(type: string): TypeForm {
  const known: TypeForm | undefined = Object.hasOwn(FORMS, type) ? FORMS[type as ConnectionType] : undefined;
  return known ?? { label: type, sends: "", fields: [] };
}

/** The secret of a filled-in form: what is optional and empty is left out, but of a user name and a password. */
export function readSecret(type: string, form: FormData): Record<string, unknown> {
  const { fields } = formOf(type);
  if (fields === undefined) return { headers: readHeaders(form) };
  const pairs = fields.map((field) => [field, String(form.get(`secret.${field.name}`) ?? "")] as const);
  return Object.fromEntries(
    pairs.filter(([field, text]) => text !== "" || field.isOptional !== true || type === "basic").map(([field, text]) => [field.name, text]),
  );
}

function readHeaders(form: FormData): Record<string, string> {
  const names = form.getAll("header.name").map(String);
  const values = form.getAll("header.value").map(String);
  return Object.fromEntries(names.map((name, index) => [name.trim(), values[index] ?? ""]).filter(([name]) => name !== ""));
}

/** Hosts as they are typed: one a line, or parted by commas. */
export function readHosts(text: string): string[] {
  return text
    .split(/[\n,]/)
    .map((host) => host.trim())
    .filter((host) => host !== "");
}

/** Which fields the API may find faults with, of the form of a type. */
export function pointersOf(type: string): string[] {
  const { fields } = formOf(type);
  const secret = fields === undefined ? ["/secret/headers"] : fields.map((field) => `/secret/${field.name}`);
  return ["/name", "/type", "/allowed_hosts", ...secret];
}
