const STEP = "  ";

/** How far the line begins that follows a text of JSON or YAML: as far as the one before, and further within what that one opens. */
export function indentAfter(before: string): string {
  const line = before.slice(before.lastIndexOf("\n") + 1);
  const indent = /^[ \t]*/.exec(line)?.[0] ?? "";
  const said = line.trim();
  // Within an item of a list of YAML, its other fields stand below the first one.
  return indent + (/^- [^\s:]+:(?: |$)/.test(said) ? STEP : "") + (/[[{:]$/.test(said) ? STEP : "");
}
