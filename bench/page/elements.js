// Elements and words. Whatever comes from rows becomes text here, never markup.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== null && value !== false && value !== undefined) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

const unique = (values) => [...new Set(values)];

const known = (value) => value !== null && value !== undefined;

function fixed(value, digits = 3) {
  if (!known(value)) return "–";
  const text = Math.abs(value) >= 1000 ? value.toFixed(0) : value.toFixed(digits);
  return text.replace("-", "−");
}

const signed = (value) => (value > 0 ? "+" : "") + fixed(value);

const between = (low, high, words = fixed) => (known(low) && known(high) ? ` [${words(low)}, ${words(high)}]` : "");

function probability(value) {
  if (!known(value)) return "–";
  return value < 0.001 ? "<\u00a00.001" : value.toFixed(3);
}

// A name that may be broken after an underscore, and reads and copies as it is.
const breakable = (name) => name.split(/(?<=_)/).flatMap((part, place) => (place ? [element("wbr"), part] : [part]));

const counted = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;

// A link to a view of this page; names may have any characters.
const address = (...parts) => "#/" + parts.map(encodeURIComponent).join("/");

function linked(text, ...parts) {
  return element("a", { href: address(...parts) }, text);
}

// A link to a file beside this page.
function beside(path, ...children) {
  return element("a", { href: path.split("/").map(encodeURIComponent).join("/") }, ...children);
}

// A link to another page, of http and https only: an address in a card may be anything.
function outside(url) {
  const text = String(url);
  if (!/^https?:\/\//i.test(text)) return text;
  return element("a", { href: text, rel: "noopener noreferrer" }, text);
}

// An interval on a scale from low to high, with its value, and a line at `zero` where there is one.
function bar(value, from, to, low, high, zero = null) {
  if (!known(value) || !(high > low)) return null;
  const place = (number) => `${(100 * (Math.min(high, Math.max(low, number)) - low)) / (high - low)}%`;
  const made = element("span", { class: "bar", "aria-hidden": "true" });
  if (known(from) && known(to)) {
    const band = element("span");
    band.style.left = place(from);
    band.style.right = `${100 - parseFloat(place(to))}%`;
    made.append(band);
  }
  if (known(zero)) {
    const line = element("b");
    line.style.left = place(zero);
    made.append(line);
  }
  const mark = element("i");
  mark.style.left = place(value);
  made.append(mark);
  return made;
}

function definitions(pairs) {
  const shown = pairs.filter(([, value]) => known(value) && value !== "");
  return element("dl", {}, shown.map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

function choice(name, label, options, value, changed) {
  const select = element("select", { name, change: (event) => changed(event.target.value) });
  for (const [key, text] of options) select.append(element("option", { value: key, selected: key === value }, text));
  return element("label", {}, label, select);
}

function tick(name, label, value, changed) {
  const box = element("input", { type: "checkbox", name, checked: value, change: (event) => changed(event.target.checked) });
  return element("label", { class: "check" }, box, label);
}

// Said by screen readers when a filter or an order has changed.
function announce(text) {
  document.getElementById("status").textContent = text;
}
