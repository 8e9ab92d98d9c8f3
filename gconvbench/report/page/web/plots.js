// What the plots share: captions, controls, and tables that say the same.

const timedOf = (machine) => machine.cases.filter((one) => one.best >= 0);

function caption(id, ...parts) {
  byId(`${id}-caption`).replaceChildren(...parts);
}

function keysOf(machine, numbers, more = () => "") {
  return element(
    "ul",
    { class: "legend" },
    ...numbers.map((i) => element("li", {}, keyOf(i, machine.implementations[i] + more(i)))),
  );
}

function fillTable(id, heads, rows) {
  // Made when it is opened: a table of thousands of rows is of no use to most.
  const details = byId(`${id}-table`);
  const fill = () => {
    if (details.open) details.lastElementChild.replaceChildren(tableOf(heads, rows()));
  };
  details.ontoggle = fill;
  fill();
}

function nothing(id, text) {
  Plotly.purge(byId(`${id}-plot`));
  byId(`${id}-plot`).replaceChildren();
  byId(`${id}-plot`).setAttribute("aria-label", "nothing is drawn");
  byId(`${id}-plot`).style.minHeight = "0";
  byId(`${id}-controls`).replaceChildren();
  byId(`${id}-table`).hidden = true;
  caption(id, text);
}

function something(id) {
  byId(`${id}-plot`).style.minHeight = "";
  byId(`${id}-table`).hidden = false;
}

function controlsOf(id, choices, chosen, redraw) {
  // They are made anew with each change; the one in use keeps the focus.
  const focused =
    byId(id + "-controls").contains(document.activeElement) &&
    document.activeElement.closest("label").firstChild.textContent;
  const labels = choices
    .filter(([, options]) => options.length > 1)
    .map(([name, options]) =>
      selectOf(name, options, chosen[name], (value) => {
        chosen[name] = value;
        redraw();
      }),
    );
  byId(`${id}-controls`).replaceChildren(...labels);
  labels.find((label) => label.firstChild.textContent === focused)?.lastChild.focus();
}

function linkTo(machine, one) {
  return element("a", { href: caseLink(machine, one) }, one.name || one.text);
}

function extent(values) {
  return values.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Infinity, -Infinity],
  );
}

const same = (value) => [value, value];

function mostCommon(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]).map(([value]) => value);
}
