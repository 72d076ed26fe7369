// A table whose headers sort it. It draws the first lines, and more on request: thousands at once take seconds.

const STEP = 100;
const PRINTED = 1000;
const ordered = new Intl.Collator("en", { numeric: true });
let printed = null; // draws more of the table that is in view before it is printed

const classOf = (column) => [column.number ? "number" : "", column.screen ? "screen" : ""].join(" ").trim() || null;

// Columns: name, title, cell(line) that gives a cell's content, and key(line) where the table can be sorted by it.
function sortableTable(caption, columns, { sort = "", descending = false, sorted = () => {} } = {}) {
  const body = element("tbody", { role: "rowgroup" });
  const more = element("div", { class: "more" });
  const heads = new Map();
  let all = [];
  let drawn = 0;

  const row = element("tr", { role: "row" }, columns.map((column) => {
    const head = element("th", {
      scope: "col", role: "columnheader", class: classOf(column), title: column.help || null, "data-title": column.title,
    });
    if (column.key) head.append(element("button", { type: "button", click: () => press(column) }, column.title));
    else head.append(element("span", {}, column.title));
    heads.set(column.name, head);
    return head;
  }));
  // Roles are named as narrow screens show lines as blocks, which would else be no table for screen readers.
  const heading = element("thead", { role: "rowgroup" }, row);
  const table = element("table", { role: "table" }, element("caption", {}, caption), heading, body);

  function press(column) {
    descending = sort === column.name ? !descending : Boolean(column.best === "high");
    sort = column.name;
    order();
    draw(STEP);
    sorted(sort, descending);
    announce(`Sorted by ${column.title}, ${descending ? "descending" : "ascending"}.`);
  }

  function order() {
    for (const [name, head] of heads) {
      if (name === sort) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    const column = columns.find((one) => one.name === sort && one.key);
    if (!column) return;
    const keyed = all.map((line) => [column.key(line), line]);
    const empty = (key) => !known(key) || key === "";
    keyed.sort(([a, first], [b, second]) => {
      if (empty(a) || empty(b)) return empty(a) - empty(b) || (first.place ?? 0) - (second.place ?? 0);
      const compared = typeof a === "number" ? a - b : ordered.compare(a, b);
      return (descending ? -compared : compared) || (first.place ?? 0) - (second.place ?? 0);
    });
    all = keyed.map(([, line]) => line);
  }

  function cell(column, line, place) {
    const found = column.cell(line);
    const tag = columns[place].heading ? "th" : "td";
    return element(tag, {
      scope: tag === "th" ? "row" : null, role: tag === "th" ? "rowheader" : "cell",
      class: classOf(column), "data-label": column.title, "data-wide": column.wide || null,
    }, found);
  }

  const made = (line) => element("tr", { role: "row" }, columns.map((column, place) => cell(column, line, place)));

  function draw(upTo) {
    drawn = Math.min(upTo, all.length);
    body.replaceChildren(...all.slice(0, drawn).map(made));
    offer();
  }

  function append(upTo) {
    const from = drawn;
    drawn = Math.min(upTo, all.length);
    body.append(...all.slice(from, drawn).map(made));
    offer();
    announce(`${counted(drawn, "line")} of ${all.length.toLocaleString("en")} are shown.`);
  }

  function offer() {
    const left = all.length - drawn;
    more.replaceChildren();
    if (left <= 0) return;
    more.append(element("span", {}, `The first ${counted(drawn, "line")} of ${all.length.toLocaleString("en")} are shown.`));
    more.append(element("button", { type: "button", click: () => append(drawn + STEP) }, `Show ${Math.min(STEP, left)} more`));
  }

  printed = () => { if (drawn < all.length) append(Math.max(drawn, PRINTED)); };
  return {
    node: element("div", {}, element("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" }, table), more),
    show(found) {
      all = [...found];
      order();
      draw(STEP);
    },
  };
}

window.addEventListener("beforeprint", () => {
  if (printed) printed();
  for (const closed of document.querySelectorAll("details:not(.filters)")) closed.open = true;
});
