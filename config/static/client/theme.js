// Before anything is drawn: the look that was chosen on this device, if one was. No module, so that it does not wait.
try {
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // A browser that keeps nothing for this site has no choice to tell.
}
