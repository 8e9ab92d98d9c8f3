// The table of cases: filters, sorting, and a link to each case.

const PAGE = innerWidth < 640 ? 25 : 100;
const STATES = [
  ["timed", "timed"],
  ["clear", "clear wins over native"],
  ["proved", "only proved"],
  ["bad", "wrong or failed"],
  ["labelled", "labelled"],
  ["all", "all"],
];

const caseLink = (machine, one) => `#case=${encodeURIComponent(`${machine.slug} ${one.id}`)}`;
const bestOf = (one) => (one.best < 0 ? null : one.rows[one.best]);
const nativeOf = (machine, one) =>
  one.rows.find((row) => machine.implementations[row.implementation] === "native");
const isBad = (row) => row.outcome !== "measured" && row.outcome !== "checked";

const COLUMNS = [
  {
    head: "case",
    value: (m, c) => c.name || c.text,
    show: (m, c) =>
      element(
        "span",
        {},
        element("a", { href: caseLink(m, c) }, c.name || c.text),
        c.name ? element("span", { class: "faint" }, element("br"), c.text) : null,
      ),
  },
  { head: "g", number: true, value: (m, c) => c.groups },
  { head: "C/g", number: true, value: (m, c) => c.per_group },
  {
    head: "best",
    value: (m, c) => (bestOf(c) ? m.implementations[bestOf(c).implementation] : ""),
    show: (m, c) => bestShown(m, c),
  },
  {
    head: "speedup",
    number: true,
    value: (m, c) => bestOf(c)?.speedup ?? -1,
    show: (m, c) => bestOf(c)?.speedup_text ?? "",
  },
  {
    head: "95 %",
    number: true,
    value: (m, c) => bestOf(c)?.speedup_half_width ?? Infinity,
    show: (m, c) => bestOf(c)?.speedup_interval ?? "",
  },
  {
    head: "time",
    number: true,
    value: (m, c) => bestOf(c)?.times[0].seconds ?? Infinity,
    show: (m, c) => bestOf(c)?.times[0].text ?? "",
  },
  {
    head: "native",
    number: true,
    value: (m, c) => nativeOf(m, c)?.times[0]?.seconds ?? Infinity,
    show: (m, c) => nativeOf(m, c)?.times[0]?.text ?? "",
  },
  {
    head: "of floor",
    number: true,
    has: (m) => m.cases.some((one) => one.least),
    value: (m, c) => bestOf(c)?.times[0].of_floor ?? -1,
    show: (m, c) => floorShown(c),
  },
  { head: "to know", value: (m, c) => known(m, c), show: (m, c) => known(m, c) },
];

function floorShown(one) {
  const share = bestOf(one)?.times[0].of_floor_text;
  return share ? element("span", { title: one.least }, share) : "";
}

function bestShown(machine, one) {
  const row = bestOf(one);
  if (!row) return one.rows.length ? one.advice : "nothing can compute it";
  const sure = ` ${MARKS[one.how_sure]}`;
  const title = {
    clear: "all others are clearly slower",
    close: "others are not clearly slower",
    "one round": "one round has no interval",
  }[one.how_sure];
  return element(
    "span",
    { title },
    keyOf(row.implementation, machine.implementations[row.implementation]),
    sure,
  );
}

function known(machine, one) {
  const bad = one.rows
    .filter(isBad)
    .map((row) => `${machine.implementations[row.implementation]} ${row.outcome}`);
  const labels = distinct((bestOf(one)?.labels ?? []).map((i) => machine.labels[i][0]));
  const best = labels.length ? [`best: ${labels.join(", ")}`] : [];
  return [...bad, ...best].join("; ");
}

const FILTERS = [
  ["direction", (c) => c.direction],
  ["dtype", (c) => c.dtype],
  ["memory format", (c) => c.memory_format],
  ["operation", (c) => c.operation],
  ["groups", (c) => String(c.groups)],
];

class CaseTable {
  constructor(machine) {
    CaseTable.current = this;
    this.machine = machine;
    this.columns = COLUMNS.filter((column) => column.has?.(machine) ?? true);
    this.shown = PAGE;
    this.sorted = null;
    this.text = "";
    this.chosen = {};
    this.state = machine.cases.some((one) => one.best >= 0) ? "timed" : "all";
    this.best = "";
    this.words = machine.cases.map((one) =>
      [
        one.id,
        one.name,
        one.text,
        ...one.rows.map((row) => machine.implementations[row.implementation]),
      ]
        .join(" ")
        .toLowerCase(),
    );
    this.controls();
    this.heads();
    byId("more").onclick = () => {
      this.shown += 5 * PAGE;
      this.render();
    };
    this.render();
  }

  controls() {
    const changed = () => {
      this.shown = PAGE;
      this.render();
    };
    const search = element("input", {
      type: "search",
      placeholder: "name, id, implementation",
      id: "search",
    });
    let timer = 0;
    search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        if (CaseTable.current !== this) return; // another machine was chosen meanwhile
        this.text = search.value.trim().toLowerCase();
        changed();
      }, 120);
    });
    const controls = [element("label", { class: "wide" }, "search", search)];
    controls.push(
      selectOf("show", STATES, this.state, (value) => {
        this.state = value;
        changed();
      }),
    );
    for (const [name, valueOf] of FILTERS) {
      const values = distinct(this.machine.cases.map(valueOf));
      if (values.length < 2) continue;
      if (name === "groups") values.sort((a, b) => a - b);
      controls.push(
        selectOf(name, [["", "any"], ...values.map((value) => [value, value])], "", (value) => {
          this.chosen[name] = value;
          changed();
        }),
      );
    }
    const best = distinct(
      this.machine.cases.filter(bestOf).map((one) => bestOf(one).implementation),
    );
    if (best.length > 1) {
      const names = best.sort((a, b) => a - b).map((i) => [i, this.machine.implementations[i]]);
      controls.push(
        selectOf("best", [["", "any"], ...names], "", (value) => {
          this.best = value;
          changed();
        }),
      );
    }
    byId("filters").replaceChildren(...controls);
  }

  heads() {
    const row = byId("table").tHead.rows[0];
    row.replaceChildren(
      ...this.columns.map((column, i) => {
        const button = element("button", { type: "button" }, column.head);
        button.addEventListener("click", () => this.sortBy(i));
        return element("th", { scope: "col", class: column.number ? "number" : null }, button);
      }),
    );
  }

  sortBy(i) {
    const down = this.sorted?.column === i ? !this.sorted.down : this.columns[i].head === "speedup";
    this.sorted = { column: i, down };
    [...byId("table").tHead.rows[0].cells].forEach((head, j) => {
      if (j === i) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    this.shown = PAGE;
    this.render();
  }

  passes(one, number) {
    const states = {
      timed: one.best >= 0,
      clear: one.how_sure !== "one round" && one.best >= 0 && (bestOf(one).speedup ?? 1) > 1,
      proved: one.best < 0 && one.rows.some((row) => row.outcome === "checked"),
      bad: one.rows.some(isBad),
      labelled: one.rows.some((row) => row.labels.length),
      all: true,
    };
    return (
      states[this.state] &&
      FILTERS.every(
        ([name, valueOf]) => !this.chosen[name] || valueOf(one) === this.chosen[name],
      ) &&
      (this.best === "" || bestOf(one)?.implementation === Number(this.best)) &&
      (!this.text || this.text.split(/\s+/).every((word) => this.words[number].includes(word)))
    );
  }

  floorNote() {
    return this.columns.some((column) => column.head === "of floor")
      ? "; of floor: the least time by measured ceilings over the time"
      : "";
  }

  render() {
    const machine = this.machine;
    let found = machine.cases.filter((one, number) => this.passes(one, number));
    if (this.sorted) {
      const { column, down } = this.sorted;
      const sign = down ? -1 : 1;
      const keyed = found.map((one) => [this.columns[column].value(machine, one), one]);
      keyed.sort(([a], [b]) => sign * (typeof a === "string" ? a.localeCompare(b) : a - b));
      found = keyed.map(([, one]) => one);
    }
    byId("table").tBodies[0].replaceChildren(
      ...found
        .slice(0, this.shown)
        .map((one) =>
          element(
            "tr",
            {},
            ...this.columns.map((column, i) =>
              cell(
                column.show ? column.show(machine, one) : String(column.value(machine, one)),
                column.number,
                i ? "td" : "th",
              ),
            ),
          ),
        ),
    );
    const shown = Math.min(found.length, this.shown);
    byId("count").textContent =
      `${found.length} of ${machine.cases.length} cases` +
      (shown < found.length ? `, the first ${shown} shown` : "") +
      "; ≈ others are not clearly slower, ? one round has no interval" +
      (innerWidth < 640 ? "; a wider screen has more columns" : this.floorNote());
    byId("more").hidden = shown >= found.length;
  }
}
