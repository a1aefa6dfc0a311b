// A list with one stop for Tab: arrows, Home, End and the page keys move in it, Enter opens.

/** `list` holds elements with `role="option"`. `open(item)` is told of Enter, Space and clicks, `near()` of a move to the end. */
export function rovingList(list, { open, near }) {
  const items = () => list.querySelectorAll("[role=option]");
  const current = () => list.querySelector("[role=option][tabindex='0']");

  const move = (item) => {
    const old = current();
    if (old) old.tabIndex = -1;
    item.tabIndex = 0;
    item.focus();
    item.scrollIntoView({ block: "nearest" });
  };

  list.addEventListener("keydown", (event) => {
    const item = event.target.closest("[role=option]");
    if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      return open(item);
    }
    const page = Math.max(1, Math.floor(list.clientHeight / Math.max(1, item.offsetHeight)) - 1);
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const all = [...items()];
    const at = Math.min(all.length - 1, Math.max(0, all.indexOf(item) + step));
    move(all[at]);
    if (at + page >= all.length) near();
  });
  list.addEventListener("click", (event) => {
    const item = event.target.closest("[role=option]");
    if (!item) return;
    move(item);
    open(item);
  });

  return {
    /** To be called when items were added: the first becomes the stop. */
    ready() {
      if (!current() && list.firstElementChild) list.firstElementChild.tabIndex = 0;
    },
    focus() {
      (current() ?? list).focus();
    },
    mark(item) {
      list.querySelector("[aria-selected=true]")?.setAttribute("aria-selected", "false");
      item?.setAttribute("aria-selected", "true");
    },
  };
}
