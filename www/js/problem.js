// An error as people meet it: what happened, where, what to do, and a way to try again.

import { advise } from "./advice.js";
import { copyButton, make } from "./dom.js";
import { prose } from "./prose.js";

/** Shows `error` in `place`; `again`, if given, is what "Try again" does. */
export function showProblem(place, error, again) {
  const { title, todo, rules } = advise(error, location.origin);
  const where = [error.object && `object ${error.object}`, Number.isFinite(Number(error.offset ?? NaN)) && `offset ${error.offset}`];
  place.replaceChildren(
    make(
      "section",
      { class: "problem", role: "alert", "data-error": error.name },
      make("h2", {}, title),
      make("p", { class: "todo" }, prose(todo)),
      rules?.map(([store, text], i) =>
        make(
          "details",
          { open: i === 0 },
          make("summary", {}, store),
          make("pre", { tabindex: "0" }, text),
          copyButton("Copy", () => text),
        ),
      ),
      make("p", { class: "cause" }, error.message, where.filter(Boolean).map((part) => make("span", {}, part))),
      again && make("button", { type: "button", onclick: again }, "Try again"),
    ),
  );
}

export function clearProblem(place) {
  place.replaceChildren();
}
