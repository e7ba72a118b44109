// What the page can do beyond being read: a slider through the steps, a filter, sorting.
"use strict";
(() => {
  const every = (selector, within = document) => [...within.querySelectorAll(selector)];
  document.documentElement.classList.add("scripted");

  // On paper nothing is folded.
  const folded = every("details:not([open])");
  addEventListener("beforeprint", () => folded.forEach(details => { details.open = true; }));
  addEventListener("afterprint", () => folded.forEach(details => { details.open = false; }));

  // The weights after one step at a time.
  for (const input of every("input[type=range]")) {
    const figures = every("figure", input.closest("div"));
    const show = () => {
      figures.forEach((figure, i) => { figure.hidden = i !== Number(input.value); });
      const text = `after ${figures[input.value].dataset.step} steps`;
      input.setAttribute("aria-valuetext", text);
      input.nextElementSibling.textContent = text;
    };
    input.addEventListener("input", show);
    show();
  }

  // Mistakes by model, true class and answer.
  const filter = document.getElementById("filter"), tiles = every(".tile");
  const showTiles = () => {
    const chosen = [...new FormData(filter)];
    for (const tile of tiles) tile.hidden = chosen.some(([key, value]) => value && tile.dataset[key] !== value);
    document.getElementById("filtered").textContent =
      `${tiles.filter(tile => !tile.hidden).length} of ${tiles.length} pictures are shown.`;
  };
  filter.addEventListener("input", showTiles);
  filter.addEventListener("reset", () => setTimeout(showTiles)); // after the fields are reset
  showTiles();

  // Sort a table by a column: rising, falling, and as it was.
  for (const table of every("table.sortable")) {
    const rows = [...table.tBodies[0].rows], heads = every("thead th", table);
    heads.forEach((head, column) => head.addEventListener("click", () => {
      const order = {none: "ascending", ascending: "descending", descending: "none"}[head.ariaSort];
      heads.forEach(other => { other.ariaSort = other === head ? order : "none"; });
      const sign = {ascending: 1, descending: -1, none: 0}[order];
      const text = row => row.cells[column].textContent;
      const compared = (x, y) => x - y || x.localeCompare(y); // numbers as numbers
      table.tBodies[0].append(...[...rows].sort((a, b) => sign * compared(text(a), text(b))));
    }));
  }
})();
