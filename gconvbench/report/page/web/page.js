// The page as a whole: which machine, which case, light or dark, and what is drawn when.

const DATA = JSON.parse(byId("data").textContent);
for (const one of DATA.machines) one.cases = one.cases.map(unpackedCase);
const PLOTS = {
  crossover: drawCrossover,
  roofline: drawRoofline,
  accuracy: drawAccuracy,
  networks: drawNetworks,
  history: drawHistory,
};

let machine = DATA.machines[0];
let waiting = new Map();
const drawn = new Map();

const sight = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      const start = entry.isIntersecting && waiting.get(entry.target.id);
      if (start) {
        waiting.delete(entry.target.id);
        start();
      }
    }
  },
  { rootMargin: "600px" },
);

function unpacked(kind, values) {
  return Object.fromEntries(DATA.fields[kind].map((name, i) => [name, values[i]]));
}

function unpackedCase(values) {
  const one = unpacked("case", values);
  one.rows = one.rows.map((row) => unpacked("row", row));
  for (const row of one.rows) {
    row.times = row.times.map((time) => unpacked("time", time));
    row.tensors = row.tensors.map((tensor) => unpacked("tensor", tensor));
  }
  return one;
}

function showMachine(number) {
  machine = DATA.machines[number];
  for (const part of document.querySelectorAll("[data-machine]"))
    part.hidden = part.dataset.machine !== String(number);
  if (byId("machine")) byId("machine").value = String(number);
  for (const card of document.querySelectorAll("[data-answer]"))
    card.classList.toggle(
      "shown",
      card.dataset.answer === String(number) && DATA.machines.length > 1,
    );
  byId("case").hidden = true;
  new CaseTable(machine);
  drawn.clear();
  waiting = new Map();
  sight.disconnect();
  for (const [id, drawPlot] of Object.entries(PLOTS)) {
    const chosen = {};
    waiting.set(id, () => {
      drawn.set(id, () => drawPlot(machine, chosen));
      drawPlot(machine, chosen);
    });
    sight.observe(byId(id));
  }
}

function linkedCase() {
  // The number of the machine and the case that the address names, if any.
  const [, wanted] = location.hash.match(/^#case=(.*)$/) ?? [];
  const text = decoded(wanted ?? "");
  for (const [number, one] of DATA.machines.entries()) {
    const found =
      text.startsWith(one.slug) && one.cases.find((item) => `${one.slug} ${item.id}` === text);
    if (found) return [number, found];
  }
  return [-1, null];
}

function followLink() {
  if (!location.hash.startsWith("#case=")) return;
  const [number, found] = linkedCase();
  if (found && DATA.machines[number] !== machine) showMachine(number);
  if (found) showCase(machine, found);
  else showNoCase();
  byId("case").scrollIntoView();
  byId("case").focus({ preventScroll: true });
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

function redraw() {
  byId("theme").textContent = isDark() ? "Light" : "Dark";
  // What is out of sight waits until it comes into it again.
  for (const [id, drawPlot] of drawn) {
    waiting.set(id, drawPlot);
    sight.unobserve(byId(id));
    sight.observe(byId(id));
  }
  const [, found] = linkedCase();
  if (found && !byId("case").hidden) showCase(machine, found);
}

byId("theme").addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  redraw();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
byId("machine")?.addEventListener("change", (event) => {
  history.replaceState(null, "", "#cases");
  showMachine(Number(event.target.value));
});
addEventListener("hashchange", followLink);
addEventListener("click", (event) => {
  // A link to the case that is open changes no address, and still leads there.
  const link = event.target.closest?.('a[href^="#case="]');
  if (link?.getAttribute("href") === location.hash) followLink();
});
byId("theme").textContent = isDark() ? "Light" : "Dark";
showMachine(0);
followLink();
