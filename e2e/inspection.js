// Run in each page that is inspected, after axe-core. Each answer is a list of words.
globalThis.inspection = {
  // Of all that is wrong, or of what is as grave as one of these: "serious", "critical".
  async axe(impacts) {
    const result = await globalThis.axe.run(document, {
      resultTypes: ["violations"],
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    });
    const violations = result.violations.filter(({ impact }) => impacts?.includes(impact) ?? true);
    return violations.flatMap(({ id, help, nodes }) =>
      nodes.map(({ target, failureSummary }) =>
        `${id}: ${help}: ${target.join(" ")}: ${failureSummary.split("\n").slice(1).join("; ")}`));
  },

  robots() {
    return document.querySelector("meta[name=robots]")?.content ?? "";
  },

  // What goes over the right edge of the window.
  width() {
    const { clientWidth, scrollWidth } = document.documentElement;
    return scrollWidth > clientWidth ? [`scrolls sideways, to ${scrollWidth} px of ${clientWidth}`] : [];
  },

  // That, and what is cut off inside of its box.
  layout() {
    const found = inspection.width();
    for (const element of document.querySelectorAll("body *")) {
      const style = getComputedStyle(element);
      const hides = (axis) => ["hidden", "clip"].includes(style[`overflow${axis}`]);
      if (
        (hides("X") && element.scrollWidth > element.clientWidth + 1) ||
        (hides("Y") && element.scrollHeight > element.clientHeight + 1)
      ) {
        if (!mayBeCut(element, style)) found.push(`cut off: ${name(element)}`);
      }
    }
    return found;
  },

  // Icons of the admin are words in a font of pictures, which nobody is to hear.
  iconsReadOut() {
    return [...document.querySelectorAll(".material-symbols-outlined:not([aria-hidden=true])")]
      .filter((icon) => icon.checkVisibility())
      .map((icon) => `read out: ${name(icon)}`);
  },

  unfold() {
    for (const part of document.querySelectorAll("details")) part.open = true;
  },

  // Buttons that are there although no script is, and that no form gives a meaning.
  idleButtons() {
    return [...document.querySelectorAll("button")]
      .filter((button) => button.checkVisibility() && (button.type !== "submit" || !button.form))
      .map((button) => `does nothing: ${name(button)}`);
  },

  // What moves although the visitor has asked for less motion.
  motion() {
    const found = new Set();
    for (const element of document.querySelectorAll("*")) {
      for (const part of [null, "::before", "::after"]) {
        const style = getComputedStyle(element, part);
        const takesTime = style.transitionDuration.split(",").some((time) => parseFloat(time) > 0.001);
        if (takesTime || style.animationName !== "none" || style.scrollBehavior === "smooth") {
          found.add(`moves: ${name(element)}${part ?? ""}`);
        }
      }
    }
    return [...found];
  },
};

// Fields scroll; what is for the eye or the ear alone is not read here; a link leads to all of its text.
function mayBeCut(element, style) {
  return (
    element.matches("input, select, svg, svg *") ||
    element.closest("[aria-hidden=true]") ||
    style.clipPath !== "none" ||
    (style.webkitLineClamp !== "none" && (element.closest("a") || element.querySelector("a")))
  );
}

function name(element) {
  const text = element.textContent.trim().replaceAll(/\s+/g, " ").slice(0, 40);
  return `<${element.localName} class="${element.getAttribute("class") ?? ""}"> ${text}`;
}
