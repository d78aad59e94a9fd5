// Before the first paint, so that the page does not flash in the other theme. The rest is in src/lib/theme.ts.
try {
  const theme = localStorage.getItem("flowforge.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is switched off: the system's theme is good.
}
