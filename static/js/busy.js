// The button of a form that takes a while shows so. Sending twice does no harm: the server sees to it.
document.addEventListener("submit", (event) => {
  if (event.target.matches("[data-busy]")) {
    event.submitter?.setAttribute("aria-busy", "true");
  }
});

// Back from the other page, the button is as it was.
window.addEventListener("pageshow", () => {
  document.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
});
