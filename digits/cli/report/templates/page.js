// What the page can do beyond being read: a slider through steps, a filter, sorting.
"use strict";
(() => {
  const every = (selector, within = document) => [...within.querySelectorAll(selector)];
  document.documentElement.classList.add("scripted");

  // On paper nothing is folded.
  const folded = every("details:not([open])");
  addEventListener("beforeprint", () => folded.forEach(each => { each.dataset.was = each.open; each.open = true; }));
  addEventListener("afterprint", () => folded.forEach(each => { each.open = each.dataset.was === "true"; }));

  // One snapshot at a time.
  for (const input of every("input[data-snapshots]")) {
    const shots = every("[data-step]", document.getElementById(input.dataset.snapshots));
    const show = () => {
      shots.forEach((shot, at) => { shot.hidden = at !== Number(input.value); });
      const words = `after ${shots[input.value].dataset.step} steps`;
      input.setAttribute("aria-valuetext", words);
      input.nextElementSibling.textContent = words;
    };
    input.addEventListener("input", show);
    show();
  }

  // The unit under the pointer.
  for (const picture of every("img[data-units]")) {
    const said = picture.parentElement.querySelector("[data-unit]");
    const {columns, pitch, across, down} = picture.dataset, names = JSON.parse(picture.dataset.units);
    picture.addEventListener("pointermove", event => {
      const box = picture.getBoundingClientRect();
      const column = Math.floor((event.clientX - box.left) / box.width * across / pitch.split(",")[0]);
      const row = Math.floor((event.clientY - box.top) / box.height * down / pitch.split(",")[1]);
      said.textContent = names[row * columns + column] ?? "";
    });
    picture.addEventListener("pointerleave", () => { said.textContent = ""; });
  }

  // Mistakes of one model, by true and predicted class.
  const filter = document.getElementById("filter");
  if (filter) {
    const tiles = every("[data-actual]");
    const show = () => {
      const {model, actual, predicted} = Object.fromEntries(new FormData(filter));
      let shown = 0, all = 0;
      for (const tile of tiles) {
        const own = tile.dataset.model === model;
        const here = own && (!actual || tile.dataset.actual === actual) && (!predicted || tile.dataset.predicted === predicted);
        tile.hidden = !here;
        shown += here;
        all += own;
      }
      document.getElementById("filtered").textContent = `${shown} of the ${all} pictures here.`;
    };
    filter.addEventListener("input", show);
    filter.addEventListener("reset", () => setTimeout(show));
    filter.addEventListener("submit", event => event.preventDefault());
    show();
  }

  // Sort a table by a column: rising, falling, and as it was.
  for (const table of every("table[data-sortable]")) {
    const body = table.tBodies[0], rows = [...body.rows], heads = every("th[data-column]", table);
    const value = (row, column) => {
      const text = row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
      return text === "" ? null : Number.isNaN(Number(text)) ? text : Number(text);
    };
    for (const head of heads)
      head.querySelector("button").addEventListener("click", () => {
        const now = {none: "ascending", ascending: "descending", descending: "none"}[head.getAttribute("aria-sort")];
        heads.forEach(other => other.setAttribute("aria-sort", other === head ? now : "none"));
        const column = Number(head.dataset.column), sign = now === "descending" ? -1 : 1;
        const sorted = now === "none" ? rows : [...rows].sort((a, b) => {
          const [x, y] = [value(a, column), value(b, column)];
          if (x === null || y === null) return (x === null) - (y === null); // what is missing comes last
          if (typeof x === typeof y && typeof x === "number") return sign * (x - y);
          return sign * String(x).localeCompare(String(y));
        });
        body.append(...sorted);
      });
  }
})();
