/** In the admin: buttons that copy what stands in the field before them. */

document.addEventListener("click", async ({ target }) => {
  if (!(target instanceof HTMLButtonElement) || !target.hasAttribute("data-copy")) return;
  const field = /** @type {HTMLInputElement} */ (target.previousElementSibling);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    target.textContent = "Copied";
  } catch {
    target.textContent = "Press Ctrl+C"; // without HTTPS browsers give pages no clipboard: the field is selected
  }
});
