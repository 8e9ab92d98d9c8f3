// The roofline: work per byte and throughput of every timed case.

const BEST = "best of each case";

function drawRoofline(machine, chosen) {
  const timed = timedOf(machine);
  if (!timed.length) return nothing("roofline", "Nothing was timed.");
  something("roofline");
  chosen.dtype ??= mostCommon(timed.map((one) => one.dtype))[0];
  chosen.direction ??= mostCommon(timed.map((one) => one.direction))[0];
  chosen.implementation ??= BEST;
  const used = distinct(
    timed.flatMap((one) =>
      one.rows.filter((row) => row.times.length).map((row) => row.implementation),
    ),
  );
  controlsOf(
    "roofline",
    [
      ["dtype", distinct(timed.map((one) => one.dtype)).map(same)],
      ["direction", distinct(timed.map((one) => one.direction)).map(same)],
      [
        "implementation",
        [
          [BEST, BEST],
          ...used.sort((a, b) => a - b).map((i) => [String(i), machine.implementations[i]]),
        ],
      ],
    ],
    chosen,
    () => drawRoofline(machine, chosen),
  );
  const found = timed.filter(
    (one) => one.dtype === chosen.dtype && one.direction === chosen.direction,
  );
  const points = found
    .map((one) => [
      one,
      chosen.implementation === BEST
        ? bestOf(one)
        : one.rows.find(
            (row) => row.implementation === Number(chosen.implementation) && row.times.length,
          ),
    ])
    .filter(([, row]) => row);
  const traces = distinct(points.map(([, row]) => row.implementation))
    .sort((a, b) => a - b)
    .map((i) => {
      const mine = points.filter(([, row]) => row.implementation === i);
      return {
        type: "scatter",
        mode: "markers",
        name: plain(machine.implementations[i]),
        x: mine.map(([one]) => one.flops / one.min_bytes),
        y: mine.map(([one, row]) => one.flops / row.times[0].seconds),
        marker: { color: colourOf(i), symbol: symbolOf(i), size: 8, opacity: 0.8 },
        hovertext: mine.map(([one, row]) => plain(`${one.name || one.text}: ${row.times[0].text}`)),
        hovertemplate: "%{hovertext}<br>%{x:.3~s} FLOP/byte, %{y:.3~s}FLOP/s<extra></extra>",
        customdata: mine.map(([one]) => caseLink(machine, one)),
      };
    });
  const highest = machine.highest[chosen.dtype];
  if (highest && points.length) {
    const xs = traces.flatMap((trace) => trace.x);
    const ridge = highest.flops_per_s / highest.bytes_per_s;
    const [low, high] = [Math.min(...xs, ridge) / 1.5, Math.max(...xs, ridge) * 1.5];
    traces.push({
      type: "scatter",
      mode: "lines",
      name: "highest seen here (no ceiling)",
      x: [low, ridge, high],
      y: [low * highest.bytes_per_s, highest.flops_per_s, highest.flops_per_s],
      hoverinfo: "skip",
      line: { color: styled("--faint"), dash: "dot", width: 1.5 },
    });
  }
  draw(
    "roofline-plot",
    traces,
    {
      xaxis: logAxis(
        traces.flatMap((one) => one.x),
        { title: { text: "FLOP per byte, at least" } },
      ),
      yaxis: logAxis(
        traces.flatMap((one) => one.y),
        { title: { text: "FLOP/s" }, tickformat: "~s" },
      ),
    },
    `Roofline of ${points.length} cases; the table below has them`,
  );
  onPointClick("roofline-plot");
  caption(
    "roofline",
    `Ceilings of this machine: absent, none was measured. ${highest ? highest.text : ""} ${points.length} cases.`,
  );
  fillTable(
    "roofline",
    [
      ["case", false],
      ["implementation", false],
      ["FLOP/byte", true],
      ["FLOP/s", true],
    ],
    () =>
      points.map(([one, row]) => [
        element("a", { href: caseLink(machine, one) }, one.name || one.text),
        machine.implementations[row.implementation],
        (one.flops / one.min_bytes).toPrecision(3),
        (one.flops / row.times[0].seconds).toExponential(2),
      ]),
  );
}

function onPointClick(id) {
  const plot = byId(id);
  plot.removeAllListeners?.("plotly_click");
  plot.on?.("plotly_click", (event) => {
    const link = event.points[0]?.customdata;
    if (link) location.hash = link;
  });
}
