// A form that htmx sent may have swapped away what had the focus, as a removed line does: the cart
// gets it then, so that keyboard and screen reader stay where they were.
document.addEventListener("htmx:afterSettle", () => {
  if (document.activeElement === document.body) {
    document.querySelector("#cart")?.focus();
  }
});
