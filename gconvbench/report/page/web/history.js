// Times over runs, with change points.

function drawHistory(machine, chosen) {
  const history = machine.history;
  const said = [
    element("b", {}, history.sentence),
    element(
      "ul",
      {},
      ...[...history.events, ...history.notes].map((text) => element("li", {}, text)),
    ),
  ];
  const cases = distinct(history.series.map((one) => one.case));
  if (!cases.length)
    return nothing(
      "history",
      element("span", {}, ...said, "No case was timed in two comparable runs of this machine."),
    );
  something("history");
  chosen.case ??= cases[0];
  const texts = new Map(
    machine.cases.map((one) => [one.id, one.name ? `${one.name}, ${one.text}` : one.text]),
  );
  controlsOf("history", [["case", cases.map((id) => [id, texts.get(id) ?? id])]], chosen, () =>
    drawHistory(machine, chosen),
  );
  const series = history.series.filter((one) => one.case === chosen.case);
  drawSeries("history-plot", machine, series);
  caption(
    "history",
    ...said,
    ...changeList(series),
    history.hidden ? `${history.hidden} series more: gconvbench history has them.` : "",
  );
  fillTable(
    "history",
    [
      ["run", false],
      ["commit", false],
      ["implementation", false],
      ["time, s", true],
    ],
    () =>
      series.flatMap((one) =>
        one.values.map((value, i) => [
          history.runs[i].name,
          history.runs[i].commit,
          `${one.implementation} ${one.mode}`,
          value === null ? "" : value.toExponential(3),
        ]),
      ),
  );
}

function changeList(series) {
  const lines = series.flatMap((one) =>
    one.changes.map((change, i) => `${one.implementation} ${one.mode}, ${i + 1}: ${change.text}`),
  );
  return lines.length
    ? [element("ol", { class: "changes" }, ...lines.map((text) => element("li", {}, text)))]
    : [];
}

function drawSeries(id, machine, series) {
  const runs = machine.history.runs;
  const labels = runs.map(
    (run) => `${plain(run.created.slice(0, 16).replace("T", " "))}<br>${plain(run.commit)}`,
  );
  const places = runs.map((run, i) => i);
  const step = Math.ceil(runs.length / (isNarrow(id) ? 2 : 6));
  const told = places.filter((i) => i % step === 0);
  const traces = series.map((one, number) => {
    const i = machine.implementations.indexOf(one.implementation);
    const looks = i < 0 ? number : i;
    const ends = (sign) =>
      one.values.map((value, k) =>
        value === null || one.half_widths[k] === null
          ? 0
          : Math.abs(value * Math.expm1(sign * one.half_widths[k])),
      );
    return {
      type: "scatter",
      mode: "lines+markers",
      name: plain(`${one.implementation} ${one.mode}`),
      x: places,
      y: one.values,
      connectgaps: false,
      error_y: {
        type: "data",
        symmetric: false,
        array: ends(1),
        arrayminus: ends(-1),
        thickness: 1,
      },
      line: { color: colourOf(looks), dash: one.mode === "cold" ? "dash" : "solid" },
      marker: { color: colourOf(looks), symbol: symbolOf(looks), size: 7 },
      hovertext: runs.map((run) => plain(`${run.name} ${run.line}`)),
      hovertemplate: "%{hovertext}<br>%{y:.4~s}s<extra></extra>",
    };
  });
  const changes = series.flatMap((one) => one.changes);
  const marks = distinct(changes.map((change) => change.index));
  draw(
    id,
    traces,
    {
      xaxis: {
        tickvals: told,
        ticktext: told.map((i) => labels[i]),
        tickangle: 0,
        range: [-0.4, runs.length - 0.6],
      },
      yaxis: { type: "log", title: { text: "time per launch" }, ...SECONDS },
      shapes: marks.map((index) => ({
        type: "line",
        x0: index - 0.5,
        x1: index - 0.5,
        yref: "paper",
        y0: 0,
        y1: 1,
        line: { color: styled("--bad"), dash: "dash", width: 1.5 },
      })),
      annotations: marks.map((index) => ({
        x: index - 0.5,
        yref: "paper",
        y: 1,
        yanchor: "bottom",
        showarrow: false,
        text: plain(`${runs[index].commit.slice(0, 7)} ${runs[index].line}`),
        font: { size: 11, color: styled("--bad") },
      })),
      margin: { t: marks.length ? 35 : 15, b: 60 },
    },
    `Times of ${series.length} series over ${runs.length} runs with ${changes.length} change points`,
  );
}
