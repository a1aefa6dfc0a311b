// Builds elements without ever parsing text as HTML: what a database holds is shown, never run.

export const $ = (id) => document.getElementById(id);

/** `make("p", {class: "x", onclick: f}, "text", child)`. Attributes and children that are null or false are left out. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Says something to people who hear the page. */
export function announce(text) {
  $("announce").textContent = text;
}

/** A button that copies `text()`, and says so. */
export function copyButton(label, text) {
  const button = make("button", { type: "button", class: "quiet" }, label);
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text());
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = label), 1500);
  });
  return button;
}
