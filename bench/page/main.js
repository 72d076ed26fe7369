// Which view the address names, and the light or dark theme.

const VIEWS = {
  table: (rest, parameters) => tableView(parameters),
  best: () => bestView(),
  compare: (rest, parameters) => compareView(parameters),
  plots: (rest, parameters) => plotsView(parameters),
  task: ([name]) => taskView(name),
  model: ([name]) => modelView(name),
  result: ([id]) => resultView(id),
  about: () => [document.getElementById("about").content.cloneNode(true)],
};

function parsed() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  try {
    return [...path.split("/").map(decodeURIComponent), new URLSearchParams(query)];
  } catch {
    return ["table", new URLSearchParams()]; // a damaged address
  }
}

let started = false;

function route() {
  if (location.hash === "#view") return; // the link that skips to the results
  const [name, ...rest] = parsed();
  const parameters = rest.pop();
  const shown = Object.hasOwn(VIEWS, name) ? name : "table";
  printed = null;
  const view = document.getElementById("view");
  view.replaceChildren(...VIEWS[shown](rest, parameters));
  const title = view.querySelector("h1").textContent;
  document.title = `${title} – pfmbench`;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#/${shown}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (started) {
    window.scrollTo(0, 0);
    view.focus({ preventScroll: true });
    announce(title);
  }
  started = true;
}

// A page from a file may have no storage: the theme then lasts as long as the page.
function stored(value) {
  try {
    if (value !== undefined) localStorage.setItem("pfmbench-theme", value);
    return localStorage.getItem("pfmbench-theme");
  } catch {
    return null;
  }
}

const THEMES = ["system", "light", "dark"];

function paint(theme) {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  document.getElementById("theme").textContent = `Theme: ${theme}`;
}

let theme = THEMES.includes(stored()) ? stored() : "system";
paint(theme);
document.getElementById("theme").addEventListener("click", () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  stored(theme);
  paint(theme);
  announce(`Theme: ${theme}`);
});

document.getElementById("limits").append(...data.sentences.map((sentence) => element("p", {}, sentence)));
document.querySelector("nav a[href='#/plots']").hidden = !data.plots.length;
window.addEventListener("hashchange", route);
route();
