// Views of one task, one model and one result, and the plots.

function plotFigure(plot) {
  const caption = element("figcaption", {}, plot.title);
  if (!plot.content) {
    return element("figure", {}, caption, element("p", {}, beside(plot.file, plot.file), " (a file beside this page). ", plot.alt));
  }
  const picture = element("img", { src: `data:${plot.type};base64,${plot.content}`, alt: plot.alt, loading: "lazy" });
  return element("figure", {}, caption,
    element("div", { class: "scroll", role: "region", "aria-label": plot.title, tabindex: "0" }, picture),
    element("details", {}, element("summary", {}, "In words"), element("p", {}, plot.alt)));
}

function plotsOf(found) {
  if (!found.length) return [];
  return [element("h2", {}, "Plots"), ...found.map(plotFigure)];
}

function plotsView(parameters) {
  const kind = parameters.get("kind") || "";
  const task = parameters.get("task") || "";
  const go = (set) => { location.hash = `#/plots?${new URLSearchParams({ kind, task, ...set })}`; };
  const kinds = unique(data.plots.map((plot) => plot.kind)).map((name) => [name, name.replaceAll("_", " ").replaceAll("-", " ")]);
  const form = element("form", { "aria-label": "Filters", submit: (event) => event.preventDefault() },
    choice("kind", "Kind", [["", "all"], ...kinds], kind, (value) => go({ kind: value })),
    choice("task", "Task", [["", "all"], ...unique(data.plots.map((plot) => plot.task).filter(Boolean)).map((name) => [name, name])], task,
      (value) => go({ task: value })));
  const found = data.plots.filter((plot) => (!kind || plot.kind === kind) && (!task || plot.task === task));
  if (!data.plots.length) return [element("h1", {}, "Plots"), element("p", {}, "There are no plots of these results.")];
  return [element("h1", {}, "Plots"), form, element("p", { class: "count" }, counted(found.length, "plot")), ...found.map(plotFigure)];
}

function failures(own) {
  const failed = own.flatMap((entry) => entry.runs.filter((run) => run.status !== "ok").map((run) => [entry, run]));
  if (!failed.length) return [];
  return [element("h2", {}, "Runs without a result"), element("ul", {}, failed.map(([entry, run]) =>
    element("li", {}, `${entry.name}, ${entry.task.name}, ${entry.head}, seed ${run.seed}${run.fold ? `, fold ${run.fold}` : ""}: ${run.status}. `,
      element("span", { class: "soft" }, run.error))))];
}

function taskView(name) {
  const task = data.tasks.find((one) => one.name === name);
  if (!task) return missing("task", name);
  const own = entries.filter((entry) => entry.task === task);
  const { head, model, metric, score: value, rank, over, runs, made } = COLUMNS;
  const table = sortableTable(`Scores on ${name} by ${data.metrics[task.metric]}, the best of each head first.`,
    [head, model, value, rank, over, runs, made]);
  table.show(withScales(lines.filter((line) => line.entry.task === task && line.primary)));
  const sizes = own.map((entry) => entry.n).filter((n) => n[2].length);
  const spread = (place) => { const all = sizes.flatMap((n) => n[place]); return all.length ? range(unique([Math.min(...all), Math.max(...all)])) : ""; };
  const detectable = Object.entries(task.detectable).map(([one, difference]) => `${fixed(difference)} (${data.heads[one]})`);
  return [
    element("h1", {}, `Task ${name}`),
    ...notesOf([task]),
    definitions([
      ["Primary metric", data.metrics[task.metric] + (task.lower.includes(task.metric) ? " (lower is better)" : "")],
      ["Test", sizes.length ? `${spread(2)} samples of ${spread(3)} groups${own.some((entry) => entry.s[1] > 0) ? " in a fold" : ""}` : ""],
      ["Training", sizes.length ? `${spread(0)} samples` : ""],
      ["Smallest difference found with 80 % power", detectable.join(", ")],
      ["Audit", task.audit ? auditLinks(task) : ""],
      ["Target", task.kind],
      ["Cohort", element("code", {}, task.cohort)],
      ["Digest of the task", task.digest ? element("code", {}, task.digest) : ""],
      ["Published task", { samples: "yes, frozen with its samples", settings: "its settings are; its samples are not frozen", changed: "no, another task under its name", own: "no, a task of your own" }[task.frozen] || ""],
      ["Further metrics", element("a", { href: `#/table?${new URLSearchParams({ task: name, metric: "all" })}` }, "all metrics of this task in the table")],
    ]),
    table.node,
    ...failures(own),
    ...plotsOf(data.plots.filter((plot) => plot.task === name)),
  ];
}

function cohortsOf(card) {
  const cohorts = Array.isArray(card.cohorts) ? card.cohorts : [];
  const names = cohorts.map((one) => (typeof one === "object" && one ? `${one.name}${one.evidence ? ` (${one.evidence})` : ""}` : String(one)));
  return [names.join("; "), card.cohorts_evidence ? ` [${card.cohorts_evidence}]` : ""].join("");
}

function modelView(name) {
  const model = data.models.find((one) => one.name === name);
  if (!model) return missing("model", name);
  const own = entries.filter((entry) => entry.model === model);
  const card = known(model.card) ? data.pool[model.card] : {};
  const { task, head, metric, score: value, rank, over, runs, made } = COLUMNS;
  const label = { ...COLUMNS.model, title: "Model and front-end" };
  const columns = own.some((entry) => entry.f) ? [task, head, label, metric, value, rank, over, runs, made]
    : [{ ...task, heading: true }, head, metric, value, rank, over, runs, made];
  const table = sortableTable(`Scores of ${name} by the primary metric of each task.`, columns);
  table.show(withScales(lines.filter((line) => line.entry.model === model && line.primary)).map((line) => ({ ...line, scale: null })));
  const unit = (number, words, digits = 1) => (known(number) ? `${fixed(number, digits)} ${words}` : "");
  const seen = unique(own.filter((entry) => SEEN.includes(entry.seen)).map((entry) => `${entry.task.name}: ${entry.seen}. ${data.pool[entry.c[1]]}`));
  return [
    element("h1", {}, model.baseline ? `Baseline ${name}` : `Model ${name}`),
    ...seen.map((text) => element("p", { class: "note" }, element("strong", {}, "Seen in pretraining "), text)),
    definitions([
      ["Title", card.title], ["Family", card.family],
      ["Licence", card.licence ? `${card.licence}${card.gated ? " (gated)" : ""}` : card.gated ? "gated" : ""],
      ["Page", card.url ? outside(card.url) : ""], ["Paper", card.paper ? outside(card.paper) : ""],
      ["Parameters", unit(card.params_m ?? model.params_m, "million")],
      ["Work a tile", unit(card.gmacs, "GMACs")],
      ["Features", known(card.dim ?? model.dim) ? `${card.dim ?? model.dim} numbers` : ""],
      ["Tile", known(card.tile_size) ? `${card.tile_size} pixels${known(card.mpp) ? ` at ${card.mpp} µm` : ""}` : ""],
      ["Speed", unit(model.tiles_per_s, "tiles/s")], ["Peak memory", unit(model.peak_memory_mib, "MiB", 0)],
      ["Pretrained on", cohortsOf(card)],
      ["Passport", model.passport ? beside(model.passport, "page of this encoder") : ""],
      ["Compare", element("a", { href: `#/compare?${new URLSearchParams({ a: name })}` }, "with another model")],
    ]),
    table.node,
    ...failures(own),
    ...plotsOf(data.plots.filter((plot) => plot.model === name)),
  ];
}

function copied(command) {
  const button = element("button", { type: "button", class: "screen", click: async () => {
    try {
      await navigator.clipboard.writeText(command);
      announce("The command is copied.");
      button.textContent = "Copied";
    } catch {
      announce("The browser does not let this page copy.");
    }
  } }, "Copy");
  return [element("pre", {}, element("code", {}, command)), button];
}

function records(run) {
  if (!run.info) return element("p", { class: "soft" }, "The other records of this run are in its row's file.");
  const text = (value) => {
    if (typeof value !== "object") return String(value);
    const line = JSON.stringify(value);
    return element("pre", {}, line.length > 70 ? JSON.stringify(value, null, 1) : line);
  };
  return definitions(Object.entries(run.info).map(([name, number]) => [name.replaceAll("_", " "), text(data.pool[number])]));
}

function runDetails(entry, run, place) {
  const title = `Seed ${run.seed}${run.fold ? `, fold ${run.fold}` : ""}: ${run.status === "ok" ? fixed(run.value) : run.status}`;
  return element("details", { open: place === 0 }, element("summary", {}, title),
    run.error ? element("p", { class: "bad" }, run.error) : null,
    element("h3", {}, "Make this row again"),
    run.command ? copied(run.command) : element("p", { class: "soft" }, "The row was written before commands were recorded."),
    definitions([
      ["Row", data.rows ? beside(run.file, element("code", {}, run.file)) : element("code", {}, run.file)],
      ["Run hash", element("code", {}, run.hash)], ["Version", data.pool[run.version]],
    ]),
    records(run));
}

function resultView(id) {
  const entry = byId.get(id);
  if (!entry) return missing("result", id);
  const { metric, score: value } = COLUMNS;
  const sd = { name: "sd", title: "sd over runs", number: true, cell: (line) => fixed(line.sd), key: (line) => line.sd };
  const over = { name: "over", title: "Interval over", cell: (line) => line.over || "–" };
  const table = sortableTable("All metrics of this result.", [{ ...metric, heading: true }, { ...value, cell: (line) => score({ ...line, scale: null }) }, sd, over]);
  table.show(lines.filter((line) => line.entry === entry));
  return [
    element("h1", {}, linked(entry.name, "model", entry.model.name), " on ", linked(entry.task.name, "task", entry.task.name), ` with ${entry.head}`),
    definitions([
      ["Runs", runsOf(entry)],
      ["Samples", entry.n[2].length ? `${range(entry.n[0])} training, ${range(entry.n[1]) || "no"} validation, ${range(entry.n[2])} test, of ${range(entry.n[3])} groups` : ""],
      ["Seen in pretraining", entry.c ? `${entry.c[0]}${data.pool[entry.c[1]] ? `: ${data.pool[entry.c[1]]}` : ""}` : "not recorded"],
      ["Over baseline", entry.o ? [overBaseline(entry), ` against ${entry.o[6]}, p (Holm) ${probability(entry.o[4])}`] : ""],
    ]),
    table.node,
    element("h2", {}, "How it was made"),
    ...entry.runs.map((run, place) => runDetails(entry, run, place)),
  ];
}

function missing(what, name) {
  return [element("h1", {}, "Not found"), element("p", {}, `There is no ${what} “${name}” in this leaderboard. `,
    element("a", { href: "#/table" }, "Go to the table."))];
}
