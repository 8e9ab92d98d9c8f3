// The roofline: work per byte and throughput of every timed case.

const ANY = "any";
const BEST = "best of each case";

const intensity = (one) => one.flops / one.min_bytes;
const throughput = (one, row) => one.flops / row.times[0].seconds;

function drawRoofline(machine, chosen) {
  const timed = timedOf(machine);
  if (!timed.length) return nothing("roofline", "Nothing was timed.");
  something("roofline");
  chosen.dtype ??= ANY;
  chosen.direction ??= ANY;
  chosen.implementation ??= BEST;
  controlsOf("roofline", rooflineChoices(machine, timed), chosen, () =>
    drawRoofline(machine, chosen),
  );
  const found = timed.filter((one) =>
    ["dtype", "direction"].every((field) => chosen[field] === ANY || one[field] === chosen[field]),
  );
  const points = found
    .map((one) => [one, rowOf(one, chosen.implementation)])
    .filter(([, row]) => row);
  const dots = rooflineDots(machine, points);
  const dtypes = distinct(points.map(([one]) => one.dtype));
  const roofs = dtypes.map((dtype) => roofOf(machine, dtype));
  const reach = extent([
    ...roofs.map((roof) => roof.ridge),
    ...points.map(([one]) => intensity(one)),
  ]);
  const lines = roofs.map((roof, i) => roofLine(roof, i, reach));
  draw(
    "roofline-plot",
    [...dots, ...lines],
    {
      xaxis: logAxis(
        [...dots, ...lines].flatMap((one) => one.x),
        { title: { text: "FLOP per byte, at least" } },
      ),
      yaxis: logAxis(
        [...dots, ...lines].flatMap((one) => one.y),
        { title: { text: "FLOP/s" }, tickformat: "~s" },
      ),
    },
    `Roofline of ${points.length} cases; the table below has them`,
  );
  onPointClick("roofline-plot");
  caption("roofline", ...roofCaption(machine, dtypes), `${points.length} cases.`);
  const isKnown = points.some(([one]) => one.least);
  fillTable(
    "roofline",
    [
      ["case", false],
      ["implementation", false],
      ["FLOP/byte", true],
      ["FLOP/s", true],
      ...(isKnown
        ? [
            ["of floor", true],
            ["floor", false],
          ]
        : []),
    ],
    () =>
      points.map(([one, row]) => [
        linkTo(machine, one),
        machine.implementations[row.implementation],
        intensity(one).toPrecision(3),
        throughput(one, row).toExponential(2),
        ...(isKnown ? [row.times[0].of_floor_text, one.least] : []),
      ]),
  );
}

function rooflineChoices(machine, timed) {
  const values = (field) => [ANY, ...distinct(timed.map((one) => one[field]))].map(same);
  const used = distinct(
    timed.flatMap((one) =>
      one.rows.filter((row) => row.times.length).map((row) => row.implementation),
    ),
  );
  const names = used.sort((a, b) => a - b).map((i) => [String(i), machine.implementations[i]]);
  return [
    ["dtype", values("dtype")],
    ["direction", values("direction")],
    ["implementation", [[BEST, BEST], ...names]],
  ];
}

function rowOf(one, implementation) {
  if (implementation === BEST) return bestOf(one);
  return one.rows.find((row) => row.implementation === Number(implementation) && row.times.length);
}

function rooflineDots(machine, points) {
  return distinct(points.map(([, row]) => row.implementation))
    .sort((a, b) => a - b)
    .map((i) => {
      const mine = points.filter(([, row]) => row.implementation === i);
      return {
        type: "scatter",
        mode: "markers",
        name: plain(machine.implementations[i]),
        x: mine.map(([one]) => intensity(one)),
        y: mine.map(([one, row]) => throughput(one, row)),
        marker: { color: colourOf(i), symbol: symbolOf(i), size: 8, opacity: 0.8 },
        hovertext: mine.map(([one, row]) => plain(`${one.name || one.text}: ${row.times[0].text}`)),
        hovertemplate: "%{hovertext}<br>%{x:.3~s} FLOP/byte, %{y:.3~s}FLOP/s<extra></extra>",
        customdata: mine.map(([one]) => caseLink(machine, one)),
      };
    });
}

function roofOf(machine, dtype) {
  // Measured where it was; else what cases reached, which is no ceiling.
  const peak = machine.ceilings?.peaks[dtype];
  const name = peak ? `ceiling, ${plain(dtype)}` : `highest seen, ${plain(dtype)} (no ceiling)`;
  const reached = machine.highest[dtype];
  const flops = (peak ?? reached).flops_per_s;
  const bytes = (peak ? machine.ceilings : reached).bytes_per_s;
  return { name, isMeasured: Boolean(peak), flops, bytes, ridge: flops / bytes };
}

function roofLine(roof, number, [low, high]) {
  const x = [low / 1.5, roof.ridge, high * 1.5];
  const dashes = roof.isMeasured
    ? ["solid", "dash", "dot", "dashdot"]
    : ["dot", "dash", "dashdot", "longdash"];
  return {
    type: "scatter",
    mode: "lines",
    name: roof.name,
    hoverinfo: "skip",
    x,
    y: [x[0] * roof.bytes, roof.flops, roof.flops],
    line: {
      color: styled(roof.isMeasured ? "--ink" : "--faint"),
      dash: dashes[number % 4],
      width: 1.5,
    },
  };
}

function roofCaption(machine, dtypes) {
  const peaks = machine.ceilings?.peaks ?? {};
  const [known, others] = [true, false].map((is) =>
    dtypes.filter((dtype) => Boolean(peaks[dtype]) === is),
  );
  const texts = [];
  if (known.length) {
    texts.push(`${machine.ceilings.text} `);
    texts.push(`${known.map((dtype) => peaks[dtype].text).join("; ")}. `);
    texts.push(
      "A case can lie above its line where its data stay in a cache, or by a better kernel than those that measured. ",
    );
  }
  if (others.length) {
    texts.push(
      known.length
        ? `No ceiling was measured for ${others.join(", ")}: these lines are the highest seen here, which the machine may exceed. `
        : "Ceilings of this machine: absent, none was measured. The lines are the highest seen here, which the machine may exceed. ",
    );
    texts.push(...others.map((dtype) => `${machine.highest[dtype].text} `));
  }
  return texts;
}

function onPointClick(id) {
  const plot = byId(id);
  plot.removeAllListeners("plotly_click");
  plot.on("plotly_click", (event) => {
    const link = event.points[0]?.customdata;
    if (link) location.hash = link;
  });
}
