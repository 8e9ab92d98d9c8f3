// The crossover map: groups and channels per group, a colour for the best implementation.

const SWITCHES = [
  ["dtype", "dtype"],
  ["direction", "direction"],
  ["memory format", "memory_format"],
];
const ANY_SHAPE = "every shape";
const MOST_SHAPES = 200; // of thousands nobody chooses
const MARKS = { clear: "", close: "≈", "one round": "?" };

function drawCrossover(machine, chosen) {
  const timed = timedOf(machine).filter(
    (one) => one.rows.filter((row) => row.times.length).length > 1,
  );
  if (!timed.length) return nothing("crossover", "No case was timed with two implementations.");
  something("crossover");
  const found = chooseCases(timed, chosen, () => drawCrossover(machine, chosen));
  const cells = crossoverCells(found);
  const winners = distinct(cells.map((one) => one.implementation)).sort((a, b) => a - b);
  const winsOf = (i) => cells.filter((one) => one.implementation === i).length;
  draw(
    "crossover-plot",
    crossoverTraces(machine, cells, winners),
    {
      height: 130 + 48 * distinct(cells.map((one) => one.perGroup)).length,
      xaxis: { type: "category", title: { text: "groups g" }, showgrid: false },
      yaxis: { type: "category", title: { text: "channels per group C/g" }, showgrid: false },
    },
    `Crossover map of ${cells.length} cells: ` +
      winners.map((i) => `${machine.implementations[i]} best in ${winsOf(i)}`).join(", "),
  );
  const several =
    chosen.shape === ANY_SHAPE
      ? " A cell with several cases shows the implementation that is best in the most of them, its median speedup over all of them, and in how many it is best."
      : "";
  caption(
    "crossover",
    keysOf(machine, winners, (i) => ` (${winsOf(i)})`),
    `Palest: as fast as native. ≈ others are not clearly slower; ? one round has no interval.${several}`,
  );
  fillTable(
    "crossover",
    [
      ["groups", true],
      ["C/g", true],
      ["best", false],
      ["speedup", true],
      ["cases", true],
      ["such as", false],
    ],
    () =>
      cells.map((one) => [
        String(one.groups),
        String(one.perGroup),
        machine.implementations[one.implementation],
        one.text,
        String(one.count),
        linkTo(machine, one.example),
      ]),
  );
}

function chooseCases(timed, chosen, redraw) {
  // Shapes with the most cells first; what else can be switched is offered as far as the shape has it.
  const cells = new Map();
  for (const one of timed) {
    if (!cells.has(one.shape)) cells.set(one.shape, new Set());
    cells.get(one.shape).add(`${one.groups} ${one.per_group}`);
  }
  const shapes = [...cells]
    .filter(([, found]) => found.size > 1)
    .sort(([, a], [, b]) => b.size - a.size)
    .map(([shape]) => shape)
    .slice(0, MOST_SHAPES);
  chosen.shape ??= shapes[0] ?? ANY_SHAPE;
  let found = timed.filter((one) => chosen.shape === ANY_SHAPE || one.shape === chosen.shape);
  const choices = [["shape", [...shapes, ANY_SHAPE].map(same)]];
  for (const [name, field] of SWITCHES) {
    const values = mostCommon(found.map((one) => one[field]));
    if (!values.includes(chosen[name])) [chosen[name]] = values;
    choices.push([name, values.map(same)]);
    found = found.filter((one) => one[field] === chosen[name]);
  }
  controlsOf("crossover", choices, chosen, redraw);
  return found;
}

function crossoverCells(cases) {
  const byCell = new Map();
  for (const one of cases) {
    const key = `${one.groups} ${one.per_group}`;
    if (!byCell.has(key)) byCell.set(key, []);
    byCell.get(key).push(one);
  }
  return [...byCell.values()]
    .map(crossoverCell)
    .sort((a, b) => a.groups - b.groups || a.perGroup - b.perGroup);
}

function crossoverCell(cases) {
  // Of several cases the implementation that is best in the most, with its median over all of them.
  const [winner] = mostCommon(cases.map((one) => bestOf(one).implementation));
  const rows = cases
    .map((one) => [one, one.rows.find((row) => row.implementation === winner && row.times.length)])
    .filter(([, row]) => row)
    .sort(([, a], [, b]) => (a.speedup ?? 1) - (b.speedup ?? 1));
  const [example, row] = rows[Math.floor((rows.length - 1) / 2)];
  const wins = cases.filter((one) => bestOf(one).implementation === winner).length;
  return {
    groups: example.groups,
    perGroup: example.per_group,
    implementation: winner,
    example,
    count: cases.length,
    wins,
    speedup: row.speedup ?? 1,
    text:
      row.speedup_text + (cases.length > 1 ? ` ${wins}/${cases.length}` : MARKS[example.how_sure]),
  };
}

function crossoverTraces(machine, cells, winners) {
  const ordered = (values) => distinct(values).sort((a, b) => a - b);
  const [groups, perGroup] = [
    ordered(cells.map((one) => one.groups)),
    ordered(cells.map((one) => one.perGroup)),
  ];
  const most = Math.max(2, ...cells.map((one) => one.speedup));
  return winners.map((winner) => {
    const mine = new Map(
      cells
        .filter((one) => one.implementation === winner)
        .map((one) => [`${one.groups} ${one.perGroup}`, one]),
    );
    const matrix = (valueOf, empty = null) =>
      perGroup.map((c) =>
        groups.map((g) => {
          const one = mine.get(`${g} ${c}`);
          return one ? valueOf(one) : empty;
        }),
      );
    const colour = (share) => mixed(colourOf(winner), styled("--ground"), share);
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
        [0, colour(0.3)],
        [1, colour(1)],
      ],
      text: matrix((one) => `${letterOf(winner)} ${one.text}`, ""),
      texttemplate: "%{text}",
      hovertext: matrix((one) =>
        plain(
          `${machine.implementations[winner]} ${one.text}, groups ${one.groups}, C/g ${one.perGroup}, ${one.count} case(s)`,
        ),
      ),
      hoverinfo: "text",
    };
  });
}
