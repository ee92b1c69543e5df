// The cart's comforts. Everything works without this file.

// htmx does not send what the field refuses: the browser says why.
document.addEventListener("htmx:validation:halted", (event) => {
  event.target.reportValidity();
});

// Where to go when the line that had the focus is gone: the next one, else the one before.
let neighbors = [];
document.addEventListener("htmx:beforeSwap", (event) => {
  const item = event.detail.requestConfig.elt.closest(".cart-lines > li");
  neighbors = [item?.nextElementSibling, item?.previousElementSibling].map(
    (neighbor) => neighbor?.firstElementChild.id,
  );
});

// htmx gives the focus back to what has the same id. Only what is gone leaves it to us.
document.addEventListener("htmx:afterSettle", () => {
  const cart = document.querySelector("#cart");
  if (document.activeElement === document.body) {
    const neighbor = neighbors.map((id) => document.getElementById(id)).find(Boolean);
    (neighbor ?? cart).focus();
  }
  document.querySelector("#cart-news").textContent = cart.dataset.news;
});
