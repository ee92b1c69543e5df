// What htmx and the number fields leave to the page. Everything works without this file.

// Plus and minus change the field of their form, and tell it. A thing ends by Remove, not by minus.
document.addEventListener("click", (event) => {
  const step = event.target.closest("[data-step]");
  const field = step?.closest("form").elements.quantity;
  if (!field || (step.dataset.step < 0 && field.value <= 1)) {
    return;
  }
  const before = field.value;
  field.stepUp(step.dataset.step);
  if (field.value !== before) {
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }
});

// The server refused (4xx) with a page of its own, and nothing was written: send the form again as a
// browser does, and the visitor sees that page.
document.addEventListener("htmx:responseError", (event) => {
  const form = event.detail.elt.closest("form");
  if (form && event.detail.xhr.status < 500) {
    form.submit();
  }
});

// An answer that came by htmx may be outside of what the visitor sees.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target.getAttribute("role") === "status") {
    event.detail.target.scrollIntoView({ block: "nearest" });
  }
});
document.addEventListener("htmx:oobAfterSwap", (event) => {
  if (event.detail.target.id === "messages") {
    event.detail.target.scrollIntoView({ block: "nearest" });
  }
});
