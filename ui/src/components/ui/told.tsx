import { Fragment } from "react";
import { Moment } from "./moment";

/** What the API writes after "until" and "is due": what it quotes of others is left as it is. */
const TIME = /(?<=\b(?:until|is due) )(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)/;

/** A sentence of the API; the times in it are told by the clocks that somebody prefers. */
export function Told({ sentence }: { sentence: string }) {
  // What a pattern holds in brackets stands between the parts: every second one is a time.
  const parts = sentence.split(TIME);
  return parts.map((part, index) => <Fragment key={index}>{index % 2 === 1 ? <Moment at={part} /> : part}</Fragment>);
}
