// What htmx leaves to the page. Everything works without this file.

// The server refused (4xx), so nothing was written: send the form again as a browser does, and the
// visitor sees the answer as a page.
document.addEventListener("htmx:responseError", (event) => {
  const form = event.detail.elt.closest("form");
  if (form && event.detail.xhr.status < 500) {
    form.submit();
  }
});

// A message that came by htmx may be above what the visitor sees.
document.addEventListener("htmx:oobAfterSwap", (event) => {
  if (event.detail.target.id === "messages") {
    event.detail.target.scrollIntoView({ block: "nearest" });
  }
});
