/** Shows a page of the account in the theme that the reader chose for the dashboard; else the browser's own. */

try {
  const { theme } = JSON.parse(window.localStorage.getItem("quantum-trader-dashboard") ?? "{}") ?? {};
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // The browser forbids it, or nothing readable is kept there: its own theme does.
}
