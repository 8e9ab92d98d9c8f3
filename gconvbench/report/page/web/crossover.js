// The crossover map: groups and channels per group, a colour for the best implementation.

const CROSSOVER_FIELDS = [
  ["dtype", "dtype"],
  ["direction", "direction"],
  ["memory format", "memory_format"],
  ["shape", "shape"],
];
const ANY_SHAPE = "every shape";

function cellsOf(cases) {
  return distinct(cases.map((one) => `${one.groups} ${one.per_group}`)).length;
}

function drawCrossover(machine, chosen) {
  const timed = timedOf(machine).filter(
    (one) => one.rows.filter((row) => row.times.length).length > 1,
  );
  if (!timed.length) return nothing("crossover", "No case was timed with two implementations.");
  something("crossover");
  const shapes = distinct(timed.map((one) => one.shape))
    .map((shape) => [shape, cellsOf(timed.filter((one) => one.shape === shape))])
    .sort((a, b) => b[1] - a[1])
    .filter(([, cells]) => cells > 1)
    .map(([shape]) => shape);
  chosen.shape ??= shapes[0] ?? ANY_SHAPE;
  const ofShape = (one) => chosen.shape === ANY_SHAPE || one.shape === chosen.shape;
  const choices = CROSSOVER_FIELDS.map(([name, field]) => [
    name,
    name === "shape"
      ? [...shapes, ANY_SHAPE].map(same)
      : mostCommon(timed.filter(ofShape).map((one) => one[field])).map(same),
  ]);
  for (const [name, options] of choices) {
    if (!options.some(([value]) => value === chosen[name])) [[chosen[name]]] = options;
  }
  controlsOf("crossover", choices, chosen, () => drawCrossover(machine, chosen));
  const found = timed.filter(
    (one) =>
      ofShape(one) &&
      CROSSOVER_FIELDS.every(([name, field]) => name === "shape" || one[field] === chosen[name]),
  );
  if (!found.length) {
    Plotly.purge(byId("crossover-plot"));
    fillTable("crossover", [["", false]], () => []);
    return caption("crossover", "No case has this combination; choose another.");
  }
  const cells = crossoverCells(found);
  const groups = distinct(cells.map((one) => one.groups)).sort((a, b) => a - b);
  const perGroup = distinct(cells.map((one) => one.perGroup)).sort((a, b) => a - b);
  const most = Math.max(2, ...cells.map((one) => one.speedup));
  const ground = styled("--ground");
  const winners = distinct(cells.map((one) => one.implementation)).sort((a, b) => a - b);
  const traces = winners.map((winner) => {
    const matrix = (valueOf, empty = null) =>
      perGroup.map((c) =>
        groups.map((g) => {
          const one = cells.find(
            (item) => item.groups === g && item.perGroup === c && item.implementation === winner,
          );
          return one ? valueOf(one) : empty;
        }),
      );
    return {
      type: "heatmap",
      name: plain(machine.implementations[winner]),
      showscale: false,
      xgap: 2,
      ygap: 2,
      x: groups.map(String),
      y: perGroup.map(String),
      z: matrix((one) => Math.log2(Math.max(1, one.speedup))),
      zmin: 0,
      zmax: Math.log2(most),
      colorscale: [
        [0, mixed(colourOf(winner), ground, 0.3)],
        [1, mixed(colourOf(winner), ground, 1)],
      ],
      text: matrix((one) => `${letterOf(winner)} ${one.text}`, ""),
      texttemplate: "%{text}",
      hovertext: matrix(
        (one) =>
          plain(
            `${machine.implementations[winner]} ${one.text}, groups ${one.groups}, C/g ${one.perGroup}`,
          ) + (one.count > 1 ? `<br>${one.count} cases` : ""),
      ),
      hoverinfo: "text",
    };
  });
  draw(
    "crossover-plot",
    traces,
    {
      height: 130 + 48 * perGroup.length,
      xaxis: { type: "category", title: { text: "groups g" }, showgrid: false },
      yaxis: { type: "category", title: { text: "channels per group C/g" }, showgrid: false },
    },
    `Crossover map of ${cells.length} cells: ${winners.map((i) => `${machine.implementations[i]} best in ${cells.filter((one) => one.implementation === i).length}`).join(", ")}`,
  );
  caption(
    "crossover",
    keysOf(machine, winners, (i) => ` (${cells.filter((one) => one.implementation === i).length})`),
    "Palest: as fast as native. ≈ others are not clearly slower; ? one round has no interval." +
      (chosen.shape === ANY_SHAPE
        ? " A cell with several shapes shows the implementation that is best in most of them, and its median speedup."
        : ""),
  );
  fillTable(
    "crossover",
    [
      ["groups", true],
      ["C/g", true],
      ["best", false],
      ["speedup", true],
      ["cases", true],
    ],
    () =>
      cells.map((one) => [
        String(one.groups),
        String(one.perGroup),
        machine.implementations[one.implementation],
        one.text,
        String(one.count),
      ]),
  );
}

function crossoverCells(cases) {
  const byCell = new Map();
  for (const one of cases) {
    const key = `${one.groups} ${one.per_group}`;
    byCell.set(key, [...(byCell.get(key) ?? []), one]);
  }
  return [...byCell.values()].map((several) => {
    const [winner] = mostCommon(several.map((one) => bestOf(one).implementation));
    const won = several
      .filter((one) => bestOf(one).implementation === winner)
      .sort((a, b) => (bestOf(a).speedup ?? 1) - (bestOf(b).speedup ?? 1));
    const middle = won[Math.floor(won.length / 2)];
    const mark = { clear: "", close: "≈", "one round": "?" }[middle.how_sure];
    return {
      groups: middle.groups,
      perGroup: middle.per_group,
      implementation: winner,
      speedup: bestOf(middle).speedup ?? 1,
      text: (bestOf(middle).speedup_text || "") + mark,
      count: several.length,
    };
  });
}
