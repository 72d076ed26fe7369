// The table of scores: its columns, its filters, and the address that says which of them are set.

const FILTERS = { task: "", head: "", model: "", metric: "primary", frontend: "all", seen: "all", baselines: "1", sort: "", order: "" };
const HIDDEN = {
  all: () => false,
  seen: (entry) => SEEN.includes(entry.seen),
  known: (entry) => entry.seen !== "none",
};

function badges(entry) {
  return [
    entry.model.baseline ? element("span", { class: "badge" }, "baseline") : null,
    SEEN.includes(entry.seen)
      ? element("span", { class: "badge warn", title: data.pool[entry.c[1]] || null }, `seen in pretraining: ${entry.seen}`)
      : null,
  ].map((badge) => badge && [" ", badge]);
}

// What an audit of the task found: the gravest alarm and how many more there are. It is a link where the page of the audit
// lies beside this file.
function audited(task) {
  if (!task.audit) return null;
  const [badge, page] = task.audit;
  const [first, ...more] = badge.split(", ");
  const text = `audit: ${first}${more.length ? `, ${more.length} more` : ""}`;
  const look = { class: badge === "clear" ? "badge audit" : "badge audit warn", title: badge };
  return [" ", page ? element("a", { ...look, href: page }, text) : element("span", look, text)];
}

// All that audits of the task found, with links to their pages.
function auditLinks(task) {
  const [badge, ...pages] = task.audit;
  const links = pages.map((page, place) => [place ? ", " : " (", element("a", { href: page }, place ? `page ${place + 1}` : "page of the audit")]);
  return [badge, ...links, pages.length ? ")" : ""];
}

function score(line) {
  if (line.failed) return element("span", { class: "bad" }, "failed");
  return [
    element("span", { class: "nowrap" }, fixed(line.value), element("span", { class: "soft" }, between(line.low, line.high))),
    line.scale ? bar(line.value, line.low, line.high, ...line.scale) : null,
  ];
}

function overBaseline(entry) {
  if (!entry.o) return null;
  const [difference, low, high, , , mark, baseline] = entry.o;
  const better = mark.endsWith("+");
  const words = mark ? (better ? "better than every baseline" : "worse than every baseline") : "";
  const star = mark && element("span", { class: better ? "good" : "bad", title: words, role: "img", "aria-label": words }, ` ${mark.replace("-", "−")}`);
  return element("span", { class: "nowrap", title: `against ${baseline}` }, signed(difference),
    element("span", { class: "soft" }, between(low, high, signed)), star);
}

const COLUMNS = {
  task: { name: "task", title: "Task", cell: (line) => [linked(breakable(line.entry.task.name), "task", line.entry.task.name), audited(line.entry.task)],
    key: (line) => line.entry.task.name },
  head: { name: "head", title: "Head", cell: (line) => breakable(line.entry.head), key: (line) => line.entry.head },
  model: { name: "model", title: "Model", heading: true, wide: "first",
    cell: (line) => [linked(breakable(line.entry.name), "model", line.entry.model.name), badges(line.entry)],
    key: (line) => line.entry.name },
  metric: { name: "metric", title: "Metric", cell: (line) => breakable(data.metrics[line.metric]), key: (line) => data.metrics[line.metric] },
  score: { name: "score", title: "Score [95\u00a0%]", best: "high", wide: "first", cell: score, key: (line) => line.value },
  rank: { name: "rank", title: "Rank [95\u00a0%]", key: (line) => line.primary && line.entry.r ? line.entry.r[0] : null,
    cell: (line) => line.primary && line.entry.r ? element("span", { class: "nowrap" }, String(line.entry.r[0] ?? "–"),
      element("span", { class: "soft" }, between(line.entry.r[1], line.entry.r[2], String))) : null },
  over: { name: "over", title: "Over baseline [95\u00a0%]", best: "high", wide: "first", cell: (line) => line.primary ? overBaseline(line.entry) : null,
    key: (line) => line.primary && line.entry.o ? line.entry.o[0] : null },
  runs: { name: "runs", title: "Runs", cell: (line) => runsOf(line.entry) },
  made: { name: "made", title: "Provenance", screen: true, cell: (line) => element("a", { href: address("result", line.entry.id),
    "aria-label": `details of how ${line.entry.name} on ${line.entry.task.name} with ${line.entry.head} was made` }, "details") },
};

// One scale for the bars of each task and metric, from the lowest to the highest bound among these lines.
function withScales(found) {
  const scales = new Map();
  const name = (line) => line.entry.t * 100000 + line.metric;
  for (const line of found) {
    if (line.failed) continue;
    const numbers = [line.value, line.low, line.high].filter(known);
    const [low, high] = scales.get(name(line)) || [Infinity, -Infinity];
    scales.set(name(line), [Math.min(low, ...numbers), Math.max(high, ...numbers)]);
  }
  return found.map((line) => ({ ...line, scale: scales.get(name(line)) }));
}

function matching(filters) {
  const words = filters.model.trim().toLowerCase();
  const hidden = HIDDEN[filters.seen] || HIDDEN.all;
  const metric = data.metrics.indexOf(filters.metric);
  return lines.filter(({ entry, ...line }) =>
    (!filters.task || entry.task.name === filters.task)
    && (!filters.head || entry.head === filters.head)
    && (filters.frontend === "all" || entry.f === filters.frontend)
    && (!words || entry.name.toLowerCase().includes(words))
    && (filters.metric === "all" || (filters.metric === "primary" ? line.primary : line.metric === metric))
    && (filters.baselines === "1" || !entry.model.baseline)
    && !hidden(entry));
}

// A task, and the models of it that a note is about where it is not about all of them.
function aboutOf(task, models) {
  const all = unique(entries.filter((entry) => entry.task.name === task).map((entry) => entry.name));
  if (models.length >= all.length) return task;
  const more = models.length - 3;
  return `${task}: ${models.slice(0, 3).join(", ")}${more > 0 ? ` and ${counted(more, "more model")}` : ""}`;
}

// The notes of the tasks that are shown: what every reader of their scores must know.
function notesOf(tasks) {
  const notes = new Map();
  for (const task of tasks) {
    for (const [note, models] of task.notes) notes.set(note, [...(notes.get(note) || []), [task.name, models]]);
  }
  const alarms = new Map();
  for (const task of tasks.filter((one) => one.audit && one.audit[0] !== "clear")) {
    alarms.set(task.audit[0], [...(alarms.get(task.audit[0]) || []), task.name]);
  }
  const line = (title, names, text) => element("p", { class: "note" }, element("strong", {}, `${title} `), `(${names.join(", ")}) ${text}`);
  return [
    ...[...alarms].map(([badge, names]) => line("Audit", names, `raised an alarm: ${badge}`)),
    ...[...notes].map(([note, of]) => line("Note", of.map(([task, models]) => aboutOf(task, models)), note)),
  ];
}

function tableView(parameters) {
  const filters = { ...FILTERS, ...Object.fromEntries([...parameters].filter(([name]) => name in FILTERS)) };
  const count = element("p", { class: "count", id: "count" });
  const notes = element("div");
  const place = element("div");
  let table = null;

  // Where all lines are of one metric, the caption names it and there is no column of it.
  function build(found) {
    const metrics = unique(found.map((line) => line.metric));
    const several = metrics.length > 1;
    const by = several || !found.length ? "" : `, by ${data.metrics[metrics[0]]}`;
    const columns = Object.values(COLUMNS).filter((column) => several || column.name !== "metric");
    table = sortableTable(`Scores of models by task and head${by}. A header sorts by its column.`, columns, {
      sort: filters.sort,
      descending: filters.order === "descending",
      sorted: (sort, descending) => { filters.sort = sort; filters.order = descending ? "descending" : "ascending"; remember(); },
    });
    place.replaceChildren(table.node);
  }

  // Only what is not the default is in the address, which stays a link to what is seen.
  function remember() {
    const set = Object.entries(filters).filter(([name, value]) => value !== FILTERS[name]);
    const query = new URLSearchParams(set).toString();
    history.replaceState(null, "", `#/table${query ? `?${query}` : ""}`);
  }

  function show(say = true) {
    const found = withScales(matching(filters));
    build(found);
    table.show(found);
    const models = unique(found.map((line) => line.entry.name)).length;
    count.textContent = found.length
      ? `${counted(found.length, "line")} of ${lines.length.toLocaleString("en")}, ${counted(models, "model")}`
      : "No line fits these filters.";
    notes.replaceChildren(...notesOf(unique(found.map((line) => line.entry.task))));
    if (say) announce(count.textContent);
  }

  const change = (name) => (value) => { filters[name] = value; remember(); show(); };
  const names = (all) => [["", "all"], ...all.map((name) => [name, name])];
  const search = element("input", { type: "search", name: "model", value: filters.model, autocomplete: "off",
    input: (event) => change("model")(event.target.value) });
  const wide = matchMedia("(min-width: 721px)").matches;
  const form = element("form", { "aria-label": "Filters", submit: (event) => event.preventDefault() },
    choice("task", "Task", names(data.tasks.map((task) => task.name)), filters.task, change("task")),
    choice("head", "Head", names(data.heads), filters.head, change("head")),
    element("label", {}, "Model contains", search),
    choice("metric", "Metric", [["primary", "primary of each task"], ["all", "all"], ...data.metrics.map((one) => [one, one])],
      filters.metric, change("metric")),
    frontends.length > 1 ? choice("frontend", "Front-end", [["all", "all"], ...frontends.map((one) => [one, one || "none"])],
      filters.frontend, change("frontend")) : null,
    choice("seen", "Seen in pretraining", [["all", "show all"], ["seen", "hide stated and inferred"], ["known", "show “none” only"]],
      filters.seen, change("seen")),
    tick("baselines", "Baselines", filters.baselines === "1", (on) => change("baselines")(on ? "1" : "0")),
    element("button", { type: "button", click: () => { location.hash = "#/table"; route(); } }, "Reset"));
  show(false);
  return [element("h1", {}, "Leaderboard"), notes, element("details", { class: "filters", open: wide }, element("summary", {}, "Filters"), form), count, place];
}
