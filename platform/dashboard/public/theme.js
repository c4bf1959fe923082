// Runs before anything is drawn, so that the page never flashes in the other theme; a file because of the content security policy.
(function () {
  var chosen = null;
  try {
    chosen = localStorage.getItem("mutirao.theme");
  } catch (error) {
    // Storage may be forbidden: the system's theme then.
  }
  var dark = chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
