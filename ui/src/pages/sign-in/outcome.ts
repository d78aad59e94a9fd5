import { toast } from "@/components/ui/toasts";

const AGAIN = "Begin again.";
const TELL_ADMIN = "Tell whoever runs FlowForge here.";
const LATER = "FlowForge could not do it just now. Try again in a moment.";

/** What a sign-in by a provider came back with, by its stable code. */
const SENTENCES: ReadonlyMap<string, string> = new Map(Object.entries({
  oidc_not_configured: `No provider is set up for sign-ins. ${TELL_ADMIN}`,
  oidc_provider_unavailable: "The provider does not answer. Try again later.",
  oidc_provider_invalid: `The provider answers what FlowForge cannot use. ${TELL_ADMIN}`,
  oidc_flow_missing: `This sign-in was not begun in this browser, or took more than 10 minutes. ${AGAIN}`,
  oidc_state_mismatch: `Another sign-in was begun meanwhile. ${AGAIN}`,
  oidc_flow_used: `This sign-in was used already. ${AGAIN}`,
  oidc_denied: "The sign-in was cancelled or refused at the provider.",
  oidc_code_refused: `The provider does not take its own code any more. ${AGAIN}`,
  oidc_id_token_invalid: `What the provider says does not prove who you are. ${TELL_ADMIN}`,
  oidc_email_missing: `The provider tells no email address of yours. ${TELL_ADMIN}`,
  oidc_email_unverified: "The provider has not verified your email address. Verify it there, and begin again.",
  oidc_domain_refused: "Email addresses of this domain are not let in.",
  oidc_account_exists: "There is an account with this email. Sign in with its password, then link the provider to it.",
  oidc_no_account: "Nobody has an account by this sign-in. Ask an administrator for an invitation.",
  oidc_no_role: `The provider gives you no role here. ${TELL_ADMIN}`,
  oidc_no_access: "Your account is in no workspace any more, or is switched off. Ask an administrator.",
  oidc_setup_needed: "FlowForge is not set up yet.",
  oidc_identity_taken: "This sign-in at the provider belongs to another account.",
  oidc_other_email: "The invitation is for another email address than the provider tells.",
  invitation_gone: "The invitation was used, has expired, or was taken back. Ask for another one.",
  too_many_requests: "Too many tries from this address. Try again in a few minutes.",
  database_unavailable: LATER,
  redis_unavailable: LATER,
  unavailable: LATER,
  busy: LATER,
  internal_error: "Something went wrong on the side of FlowForge. Try again, or tell whoever runs it.",
}));

/** What went wrong with a sign-in by a provider, in words; a general sentence where the code is unknown here. */
export function sentenceOf(code: string): string {
  return SENTENCES.get(code) ?? "The sign-in by the provider did not work. Begin again, or sign in with your password.";
}

/** Tell it to somebody who is signed in, where linking a provider did not work. */
export function tellOutcome(code: string): void {
  toast("failed", sentenceOf(code));
}

/** Where a sign-in by a provider begins: a page of the product's, which leads there. */
export function beginAt(url: string, next: string | undefined): string {
  return next === undefined ? url : `${url}?next=${encodeURIComponent(next)}`;
}
