// Runs before the first paint, so that a dark console does not flash white. A file of its own: the content security
// policy allows no inline script.
(function () {
  var stored = null;
  try {
    stored = localStorage.getItem('ocore.color-scheme');
  } catch (_) {
    // Storage may be forbidden; the system's preference still holds.
  }
  var dark = stored === 'dark' || (stored !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light');
})();
