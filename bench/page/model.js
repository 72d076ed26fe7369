// What the page shows, read once: results and their lines, a line a result and metric.

const data = JSON.parse(document.getElementById("data").textContent);
const SEEN = ["stated", "inferred"];

const entries = data.entries.map((own, number) => {
  const task = data.tasks[own.t];
  const model = data.models[own.m];
  const name = own.f ? `${model.name}+${own.f}` : model.name;
  return { ...own, number, task, model, name, head: data.heads[own.h], seen: own.c ? own.c[0] : "" };
});

const lower = new Set(data.tasks.flatMap((task, number) => task.lower.map((metric) => `${number} ${metric}`)));

// How to order values so that the best comes first: of errors, the smallest.
const sign = (entry, metric) => (lower.has(`${entry.t} ${metric}`) ? 1 : -1);

const lines = entries.flatMap((entry) => {
  const made = entry.x.map(([metric, value, low, high, sd, over]) => ({
    entry, metric, value, low, high, sd, over,
    primary: metric === entry.task.metric,
    order: known(value) ? sign(entry, metric) * value : Infinity,
  }));
  return made.length ? made : [{ entry, metric: entry.task.metric, value: null, primary: true, order: Infinity, failed: true }];
});

// What stands between tile and encoder, nothing first: scores behind one front-end are compared with each other.
const frontends = unique(entries.map((entry) => entry.f)).sort();
const placeOfFrontend = new Map(frontends.map((name, place) => [name, place]));

// Task by task and head by head the primary metric before the others, the best model first.
lines.sort((a, b) => a.entry.t - b.entry.t || a.entry.h - b.entry.h || b.primary - a.primary || a.metric - b.metric
  || placeOfFrontend.get(a.entry.f) - placeOfFrontend.get(b.entry.f)
  || (a.order === b.order ? 0 : a.order - b.order) || a.entry.number - b.entry.number);
lines.forEach((line, place) => { line.place = place; });

const byId = new Map(entries.map((entry) => [entry.id, entry]));

const differences = data.differences.map(([a, b, metric, difference, low, high, p, holm, suite, fdr, better, by, runs, samples,
  groups]) => ({ a: entries[a], b: entries[b], metric, difference, low, high, p, holm, suite, fdr, better, by, runs, samples,
  groups }));

// The same comparison seen from the second model.
const turned = (one) => ({
  ...one, a: one.b, b: one.a,
  difference: -one.difference,
  low: known(one.high) ? -one.high : null,
  high: known(one.low) ? -one.low : null,
  better: known(one.better) ? 1 - one.better : null,
});

const favours = (one) => -sign(one.a, one.metric) * one.difference;

function runsOf(entry) {
  const [seeds, folds, repeats, ok, expected] = entry.s;
  const each = folds / repeats;
  const parts = [];
  if (seeds > 1 || !folds) parts.push(counted(seeds, "seed"));
  if (folds && (each > 1 || repeats === 1)) parts.push(counted(each, "fold"));
  if (repeats > 1) parts.push(counted(repeats, "repeat"));
  return ok < expected ? `${ok} of ${expected}` : parts.join(" × ");
}

const range = (numbers) => numbers.map((number) => number.toLocaleString("en")).join("–");
