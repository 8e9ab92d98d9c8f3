// The section of one case: times, distributions, errors, kernels, history, how to measure it again.

function showCase(machine, one) {
  const section = byId("case");
  const run = machine.runs[one.run];
  section.replaceChildren(
    element("h2", { id: "case-title" }, one.name || one.text),
    element("p", {}, one.name ? one.text + " " : "", element("code", {}, one.id)),
    element("p", {}, element("b", {}, one.advice)),
    element("p", { class: "faint" }, `run ${run.name}: ${run.line}`),
    timesTable(machine, one),
    ...floor(one),
    ...distribution(machine, one),
    ...errors(machine, one),
    ...kernels(machine, one),
    ...caseHistory(machine, one),
    ...unsupported(one),
    element("h3", {}, "Measure it again"),
    one.command
      ? element("pre", {}, one.command)
      : element("p", {}, "Another tool measured it; its own command does so again."),
    element("p", {}, element("a", { href: "#cases" }, "Back to the cases")),
  );
  section.hidden = false;
  drawDistribution(machine, one, one.rows.find((row) => row.times.length)?.times[0].mode);
  drawCaseHistory(machine, one);
}

function showNoCase() {
  byId("case").replaceChildren(
    element("h2", { id: "case-title" }, "No such case"),
    element("p", {}, "This report does not have the case that the address names."),
    element("p", {}, element("a", { href: "#cases" }, "Back to the cases")),
  );
  byId("case").hidden = false;
}

function timesTable(machine, one) {
  const modes = distinct(one.rows.flatMap((row) => row.times.map((time) => time.mode)));
  const heads = [["implementation", false]];
  for (const mode of modes)
    heads.push(
      [modes.length > 1 ? `time, ${mode}` : "time", true],
      ["95 %", true],
      ...(one.least ? [["of floor", true]] : []),
    );
  if (!modes.length) heads.push(["outcome", false]);
  else heads.push(["speedup", true], ["95 %", true], ["first launch", true], ["memory", true]);
  heads.push(["to know", false]);
  const rows = one.rows.map((row) => {
    const cells = [keyOf(row.implementation, machine.implementations[row.implementation])];
    for (const mode of modes) {
      const time = row.times.find((found) => found.mode === mode);
      cells.push(time?.text ?? "", time?.interval ?? "");
      if (one.least) cells.push(time?.of_floor_text ?? "");
    }
    if (!modes.length) cells.push(row.outcome);
    else cells.push(row.speedup_text, row.speedup_interval, row.first, row.memory);
    const labels = row.labels
      .map((i) => machine.labels[i])
      .map(([label, meaning]) => (meaning ? `${label}: ${meaning}` : label));
    const said = isBad(row)
      ? element("span", { class: "bad" }, `${row.outcome}: ${row.detail}`)
      : [...labels, row.detail].filter(Boolean).join("; ");
    cells.push(said);
    return cells;
  });
  return element("div", { class: "scroll" }, tableOf(heads, rows));
}

function floor(one) {
  if (!one.least) return [];
  const meaning =
    ": the least time by the ceilings that the run's machine had. Above 100 % of it where data stay in a cache, or a kernel is better than those that measured.";
  return [element("p", { class: "faint" }, one.least + meaning)];
}

function distribution(machine, one) {
  const modes = distinct(one.rows.flatMap((row) => row.times.map((time) => time.mode)));
  if (!modes.length) return [];
  const controls = element("div", { class: "controls" });
  if (modes.length > 1) {
    controls.append(
      selectOf(
        "cache",
        modes.map((mode) => [mode, mode]),
        modes[0],
        (mode) => drawDistribution(machine, one, mode),
      ),
    );
  }
  const thinned = machine.thinned
    ? ` The report has so many samples that ${machine.thinned} order statistics stand for a round's.`
    : "";
  return [
    element("h3", {}, "Distribution of the samples"),
    controls,
    element(
      "figure",
      {},
      element("div", { class: "plot", id: "case-plot", role: "group" }),
      element(
        "figcaption",
        {},
        "A box per round, which is a fresh process: quartiles, whiskers to 1.5 times their distance, and every sample beyond." +
          thinned,
      ),
    ),
  ];
}

function drawDistribution(machine, one, mode) {
  if (!mode) return;
  const rows = one.rows.filter((row) => row.times.some((time) => time.mode === mode));
  const most = Math.max(
    ...rows.map((row) => row.times.find((time) => time.mode === mode).rounds.length),
  );
  const labelOf = (i) => (isNarrow("case-plot") ? letterOf(i) : plain(machine.implementations[i]));
  const traces = [];
  for (let round = 0; round < most; round += 1) {
    const [x, y] = [[], []];
    for (const row of rows) {
      const [unit, ...samples] = row.times.find((time) => time.mode === mode).rounds[round] ?? [0];
      for (const sample of samples) {
        x.push(sample * unit);
        y.push(labelOf(row.implementation));
      }
    }
    traces.push({
      type: "box",
      orientation: "h",
      x,
      y,
      name: `round ${round + 1}`,
      // Not an implementation's colour: a shade for each round, and its place.
      marker: { color: shadeOf(round, most), size: 3, symbol: symbolOf(round) },
      line: { width: 1 },
    });
  }
  draw(
    "case-plot",
    traces,
    {
      boxmode: "group",
      height: 60 + rows.length * (18 + 10 * most),
      xaxis: { type: "log", title: { text: `time per launch, ${mode}` }, ...SECONDS },
      margin: { l: besideNames(rows.map((row) => labelOf(row.implementation))) },
      yaxis: { autorange: "reversed" },
    },
    `Distribution of samples of ${rows.length} implementations in ${most} rounds; the table above has the medians`,
  );
}

function shadeOf(round, most) {
  return mixed(styled("--ink"), styled("--ground"), 0.85 - (0.5 * round) / Math.max(1, most - 1));
}

function errors(machine, one) {
  const rows = one.rows.flatMap((row) => row.tensors.map((found) => [row, found]));
  if (!rows.length) return [];
  const heads = [
    ["implementation", false],
    ["result", false],
    ["error", true],
    ["limit", true],
    ["of its limit", true],
    ["as a bar", false],
    ["small integers", false],
    ["information flow", false],
  ];
  return [
    element("h3", {}, "Errors against their limits"),
    element(
      "div",
      { class: "scroll" },
      tableOf(
        heads,
        rows.map(([row, found]) => [
          keyOf(row.implementation, machine.implementations[row.implementation]),
          found.tensor,
          found.text,
          found.limit_text,
          found.of_limit,
          element("meter", {
            min: 0,
            max: 1,
            high: 0.999,
            value: Math.min(1, (found.error ?? Infinity) / found.limit),
            "aria-label": `${found.of_limit} of the limit`,
          }),
          found.exact,
          one.groups > 1 ? row.flow : "one group",
        ]),
      ),
    ),
  ];
}

function kernels(machine, one) {
  const rows = one.rows.filter((row) => row.kernels || row.operators);
  const title = element("h3", {}, "Kernels");
  if (!rows.length)
    return [title, element("p", { class: "faint" }, "Which kernels ran was not recorded.")];
  return [
    title,
    element(
      "div",
      { class: "scroll kernels" },
      tableOf(
        [
          ["implementation", false],
          ["kernels", false],
          ["backends of PyTorch", false],
          ["operators of PyTorch", false],
        ],
        rows.map((row) => [
          keyOf(row.implementation, machine.implementations[row.implementation]),
          element("code", {}, row.kernels || "not seen"),
          element("code", {}, row.backends || "not seen"),
          element("code", {}, row.operators),
        ]),
      ),
    ),
  ];
}

const seriesOf = (machine, one) =>
  machine.history.series.filter((series) => series.case === one.id);

function caseHistory(machine, one) {
  if (!seriesOf(machine, one).length) return [];
  return [
    element("h3", {}, "Over runs"),
    element(
      "figure",
      {},
      element("div", { class: "plot", id: "case-history-plot", role: "group" }),
    ),
    ...changeList(seriesOf(machine, one)),
  ];
}

function drawCaseHistory(machine, one) {
  const series = seriesOf(machine, one);
  if (series.length) drawSeries("case-history-plot", machine, series);
}

function unsupported(one) {
  if (!one.unsupported.length) return [];
  return [
    element(
      "details",
      {},
      element("summary", {}, "Implementations that cannot compute it"),
      element(
        "div",
        { class: "scroll" },
        tableOf(
          [
            ["implementations", false],
            ["reason", false],
          ],
          one.unsupported.map(([reason, names]) => [names, reason]),
        ),
      ),
    ),
  ];
}
