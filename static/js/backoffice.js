// What Unfold's markup does not say to those who listen to a page of the admin.
const ICON = ".material-symbols-outlined";
const FIELDS = ":is(input:not([type=hidden]), select, textarea)";

function tell(part) {
  for (const icon of part.querySelectorAll(ICON)) {
    // A word in a font of pictures: "add" is not what a button is called, unless there is no other.
    icon.ariaHidden = "true";
    const control = icon.closest("a, button");
    const said = icon.textContent.trim();
    if (control && !control.title && !control.ariaLabel && control.textContent.trim() === said) {
      control.ariaLabel = said.replaceAll("_", " ");
    }
  }
  // Fields of rows are named by their column alone, which only the eye follows.
  for (const field of part.querySelectorAll(`td[data-label] ${FIELDS}`)) {
    // The labels of a file are pictures.
    if (!field.labels.length || field.type === "file") field.ariaLabel ||= field.closest("td").dataset.label;
  }
  for (const picture of part.querySelectorAll("a[style*=background-image]")) {
    picture.ariaLabel = "Show the picture";
  }
  // Django's own, in lists to choose several from.
  for (const help of part.querySelectorAll("span.help-tooltip")) help.role = "img";
}

document.addEventListener("DOMContentLoaded", () => {
  document.getElementById("main").role = "main";
  tell(document.body);
  new MutationObserver((changes) => {
    for (const { target } of changes) tell(target);
  }).observe(document.body, { childList: true, subtree: true });
});
