// Errors over reduction lengths, with their limits.

function drawAccuracy(machine, chosen) {
  const known = machine.cases.flatMap((one) =>
    one.rows.flatMap((row) => row.tensors.map((found) => [one, row, found])),
  );
  if (!known.length) return nothing("accuracy", "No errors were recorded.");
  something("accuracy");
  chosen.dtype ??= mostCommon(known.map(([one]) => one.dtype))[0];
  const tensors = distinct(
    known.filter(([one]) => one.dtype === chosen.dtype).map(([, , found]) => found.tensor),
  );
  if (!tensors.includes(chosen.result)) [chosen.result] = tensors;
  controlsOf(
    "accuracy",
    [
      ["dtype", distinct(known.map(([one]) => one.dtype)).map(same)],
      ["result", tensors.map(same)],
    ],
    chosen,
    () => drawAccuracy(machine, chosen),
  );
  const points = known.filter(
    ([one, , found]) => one.dtype === chosen.dtype && found.tensor === chosen.result,
  );
  const drawn = points.filter(([, , found]) => found.error > 0);
  const traces = distinct(drawn.map(([, row]) => row.implementation))
    .sort((a, b) => a - b)
    .map((i) => {
      const mine = drawn.filter(([, row]) => row.implementation === i);
      return {
        type: "scatter",
        mode: "markers",
        name: plain(machine.implementations[i]),
        x: mine.map(([, , found]) => found.length),
        y: mine.map(([, , found]) => found.error),
        marker: { color: colourOf(i), symbol: `${symbolOf(i)}-open`, size: 7 },
        hovertext: mine.map(([one, , found]) =>
          plain(`${one.name || one.text}: ${found.text}, ${found.of_limit} of the limit`),
        ),
        hovertemplate: "%{hovertext}<extra></extra>",
        customdata: mine.map(([one]) => caseLink(machine, one)),
      };
    });
  traces.unshift(...limitLines(points));
  draw(
    "accuracy-plot",
    traces,
    {
      xaxis: logAxis(
        traces.flatMap((one) => one.x),
        { title: { text: "reduction length L" } },
      ),
      yaxis: logAxis(
        traces.flatMap((one) => one.y),
        { title: { text: "relative error" }, exponentformat: "power" },
      ),
    },
    `Errors of ${drawn.length} results in ${chosen.dtype} over the reduction length, with their limits`,
  );
  onPointClick("accuracy-plot");
  const exact = points.filter(([, , found]) => found.error === 0).length;
  const bad = points.filter(([, , found]) => found.error === null).length;
  caption(
    "accuracy",
    `${points.length} results; ${exact} with error 0 and ${bad} without a finite one are not drawn. The line is the strictest limit of a length; a dash above it is that of an implementation that rounds more often.`,
  );
  fillTable(
    "accuracy",
    [
      ["case", false],
      ["implementation", false],
      ["L", true],
      ["error", true],
      ["limit", true],
      ["of its limit", true],
    ],
    () =>
      points
        .slice(0, 2000)
        .map(([one, row, found]) => [
          linkTo(machine, one),
          machine.implementations[row.implementation],
          String(found.length),
          found.text,
          found.limit_text,
          found.of_limit,
        ]),
  );
}

function limitLines(points) {
  // The lowest limit of a length as a line; where an implementation may round more often, its own.
  const limits = new Map();
  for (const [, , found] of points) {
    const [low, high] = limits.get(found.length) ?? [Infinity, 0];
    limits.set(found.length, [Math.min(low, found.limit), Math.max(high, found.limit)]);
  }
  const lengths = [...limits.keys()].sort((a, b) => a - b);
  const wider = lengths.filter((length) => limits.get(length)[1] > 1.01 * limits.get(length)[0]);
  const ink = styled("--ink");
  return [
    {
      type: "scatter",
      mode: "lines",
      name: "limit",
      x: lengths,
      y: lengths.map((length) => limits.get(length)[0]),
      line: { color: ink, width: 1.5 },
      hoverinfo: "skip",
    },
    {
      type: "scatter",
      mode: "text",
      name: "wider limits",
      showlegend: false,
      x: wider,
      y: wider.map((length) => limits.get(length)[1]),
      text: wider.map(() => "–"),
      textfont: { color: ink },
      hoverinfo: "skip",
    },
  ];
}
