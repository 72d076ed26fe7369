// Two models side by side: their differences on the same test samples, and which of them is better.

const LEVEL = 0.05;

const named = new Map(entries.map((entry) => [entry.name, entry]));

function modelChoice(name, label, value, changed) {
  const select = element("select", { name, change: (event) => changed(event.target.value) });
  const kinds = [
    ["Models", (entry) => !entry.f && !entry.model.baseline],
    ["Baselines", (entry) => !entry.f && entry.model.baseline],
    ["Behind corruptions and restorers", (entry) => Boolean(entry.f)],
  ];
  for (const [title, belongs] of kinds) {
    const own = [...named].filter(([, entry]) => belongs(entry)).map(([key]) => key).sort(ordered.compare);
    if (own.length) select.append(element("optgroup", { label: title }, own.map((key) => element("option", { value: key, selected: key === value }, key))));
  }
  return element("label", {}, label, select);
}

// All comparisons of two models, a - b.
function comparisonsOf(a, b) {
  return differences
    .filter((one) => (one.a.name === a && one.b.name === b) || (one.a.name === b && one.b.name === a))
    .map((one) => (one.a.name === a ? one : turned(one)))
    .map((one, place) => ({ ...one, place, primary: one.metric === one.a.task.metric }));
}

function verdict(one) {
  if (!known(one.holm)) return "not known";
  if (one.holm > LEVEL) return "no difference shown";
  const first = favours(one) > 0;
  return element("span", { class: "decided" }, `${first ? "A" : "B"} is better`);
}

function differenceColumns(scale) {
  const p = (name, title, help) => ({ name, title, help, number: true, cell: (one) => probability(one[name]), key: (one) => one[name] });
  return [
    { name: "task", title: "Task", heading: true, cell: (one) => linked(breakable(one.a.task.name), "task", one.a.task.name), key: (one) => one.a.task.name },
    { name: "head", title: "Head", cell: (one) => breakable(one.a.head), key: (one) => one.a.head },
    { name: "metric", title: "Metric", key: (one) => data.metrics[one.metric],
      cell: (one) => [breakable(data.metrics[one.metric]), sign(one.a, one.metric) > 0 ? element("span", { class: "soft" }, " (lower is better)") : null] },
    { name: "difference", title: "A − B [95\u00a0%]", best: "high", wide: "first", key: (one) => one.difference,
      cell: (one) => [element("span", { class: "nowrap" }, signed(one.difference), element("span", { class: "soft" }, between(one.low, one.high, signed))),
        bar(one.difference, one.low, one.high, ...scale, 0)] },
    { name: "verdict", title: "By p (Holm)", help: "a difference is shown where p (Holm) is 0.05 or below", cell: verdict },
    p("p", "p", "of no difference, two-sided"),
    p("holm", "p (Holm)", "adjusted for the pairs of the task, head and metric"),
    p("suite", "p (Holm, all tasks)", "adjusted for the pairs of the head on all tasks"),
    p("fdr", "p (FDR)", "Benjamini and Hochberg"),
    { name: "better", title: "P(A > B)", number: true, cell: (one) => (known(one.better) ? one.better.toFixed(3) : "–"), key: (one) => one.better },
    { name: "test", title: "Test", wide: "last",
      cell: (one) => element("span", { class: "soft" }, `${counted(one.samples, "sample")}, ${counted(one.groups, "group")}, ${counted(one.runs, "run")}; p by ${one.by}`) },
  ];
}

function wins(found) {
  const decided = found.filter((one) => one.primary && known(one.holm) && one.holm <= LEVEL);
  const first = decided.filter((one) => favours(one) > 0).length;
  const all = found.filter((one) => one.primary).length;
  return `Of ${counted(all, "comparison")} by the primary metric, A is better in ${first}, B in ${decided.length - first}, and `
    + `${all - decided.length} show no difference (p by Holm within each task and head).`;
}

function compareView(parameters) {
  const own = [...named.keys()];
  const models = own.filter((name) => !named.get(name).model.baseline && !named.get(name).f);
  const first = differences.find((one) => !one.b.model.baseline) || differences[0];
  const chosen = (name) => (named.has(parameters.get(name)) ? parameters.get(name) : "");
  const state = {
    a: chosen("a") || (first ? first.a.name : models[0] || own[0]),
    b: chosen("b") || (first ? first.b.name : models[1] || own[1] || own[0]),
    metric: parameters.get("metric") || "primary",
  };
  const place = element("div", { id: "compared" });
  const heading = element("h1");

  function show(say = true) {
    const found = comparisonsOf(state.a, state.b).filter((one) => state.metric === "all" || one.primary);
    heading.replaceChildren("A: ", linked(state.a, "model", named.get(state.a)?.model.name ?? ""), " against B: ", linked(state.b, "model", named.get(state.b)?.model.name ?? ""));
    if (!found.length) {
      const why = state.a === state.b ? "A and B are the same model: choose another."
        : "These two are not compared: that takes the same task, test samples, head and settings, and at least one of them "
          + "that is no baseline.";
      place.replaceChildren(element("p", { class: "note" }, why));
      if (say) announce(why);
      return;
    }
    const numbers = found.flatMap((one) => [one.difference, one.low, one.high]).filter(known);
    const table = sortableTable("A − B on the same test samples, with 95 % intervals.", differenceColumns([Math.min(0, ...numbers), Math.max(0, ...numbers)]));
    table.show(found);
    place.replaceChildren(element("p", { class: "lead" }, wins(found)), table.node);
    if (say) announce(`${counted(found.length, "comparison")}. ${wins(found)}`);
  }

  const change = (name) => (value) => {
    state[name] = value;
    history.replaceState(null, "", `#/compare?${new URLSearchParams(state)}`);
    show();
  };
  const form = element("form", { "aria-label": "Models to compare", submit: (event) => event.preventDefault() },
    modelChoice("a", "Model A", state.a, change("a")),
    modelChoice("b", "Model B", state.b, change("b")),
    choice("metric", "Metrics", [["primary", "primary of each task"], ["all", "all"]], state.metric, change("metric")),
    element("button", { type: "button", click: () => {
      location.hash = `#/compare?${new URLSearchParams({ ...state, a: state.b, b: state.a })}`;
    } }, "Swap A and B"));
  if (!own.length) return [element("h1", {}, "Compare two models"), element("p", {}, "There is no result.")];
  show(false);
  return [heading, form, place];
}

// For each task and head the best model, the next one, and whether they differ; without those behind front-ends, whose
// scores are of other tiles.
function bestLines() {
  const blocks = new Map();
  for (const line of lines) {
    if (!line.primary || line.failed || !known(line.value) || line.entry.model.baseline || line.entry.f) continue;
    const name = `${line.entry.t} ${line.entry.h}`;
    blocks.set(name, [...(blocks.get(name) || []), line]);
  }
  const pairs = new Map();
  for (const one of differences) {
    if (one.metric !== one.a.task.metric) continue;
    pairs.set(`${one.a.number} ${one.b.number}`, one);
    pairs.set(`${one.b.number} ${one.a.number}`, turned(one));
  }
  return withScales([...blocks.values()].map((own, place) => {
    const [best, next] = own;
    return { ...best, place, next, against: next && pairs.get(`${best.entry.number} ${next.entry.number}`) };
  }));
}

function bestView() {
  const columns = [
    COLUMNS.task, COLUMNS.head, { ...COLUMNS.model, title: "Best model" }, { ...COLUMNS.score, cell: (line) => score({ ...line, scale: null }) },
    { name: "next", title: "Next", cell: (line) => (line.next ? linked(line.next.entry.name, "model", line.next.entry.model.name) : "there is no other") },
    { name: "lead", title: "Best − next [95\u00a0%]", best: "high", key: (line) => line.against?.difference,
      cell: (line) => line.against && element("span", { class: "nowrap" }, signed(line.against.difference),
        element("span", { class: "soft" }, between(line.against.low, line.against.high, signed))) },
    { name: "differs", title: "p (Holm)", key: (line) => line.against?.holm,
      cell: (line) => line.against && [probability(line.against.holm), " ", known(line.against.holm) && line.against.holm <= LEVEL
        ? element("span", { class: "decided" }, "differs") : element("span", { class: "soft" }, "no difference shown")] },
    COLUMNS.over,
  ];
  const table = sortableTable("The best model of each task and head by the primary metric, and whether it differs from the next.", columns);
  table.show(bestLines());
  return [
    element("h1", {}, "Best by task"),
    element("p", { class: "lead" }, "One line a task and head. Choose a head before you look at its scores: the best of many "
      + "heads on one test set is too good."),
    ...notesOf(data.tasks),
    table.node,
  ];
}
