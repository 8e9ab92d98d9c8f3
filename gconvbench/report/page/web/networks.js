// Totals of networks, an implementation a bar.

function drawNetworks(machine, chosen) {
  if (!machine.networks.length)
    return nothing(
      "networks",
      "No run here has all layers of a network (names such as forum/conv2) with times.",
    );
  something("networks");
  chosen.network ??= "0";
  controlsOf(
    "networks",
    [["network", machine.networks.map((one, i) => [String(i), one.title])]],
    chosen,
    () => drawNetworks(machine, chosen),
  );
  const network = machine.networks[Number(chosen.network)];
  const letter = (one) => {
    const i = machine.implementations.indexOf(one.implementation);
    return i < 0 ? "best" : letterOf(i);
  };
  const names = network.totals.map((one) =>
    isNarrow("networks-plot") ? letter(one) : plain(one.implementation),
  );
  const longest = Math.max(...network.totals.map((one) => one.seconds));
  const half = network.totals.map((one) => (one.half_width ?? 0) * one.seconds);
  const traces = [
    {
      type: "bar",
      orientation: "h",
      name: "its own layers",
      y: names,
      x: network.totals.map((one) => one.own_seconds),
      marker: { color: network.totals.map((one, i) => (i ? colourOf(0) : colourOf(2))) },
      hoverinfo: "skip",
    },
    {
      type: "bar",
      orientation: "h",
      name: "native stands in",
      y: names,
      x: network.totals.map((one) => one.seconds - one.own_seconds),
      marker: {
        color: styled("--pale"),
        line: { color: styled("--faint"), width: 1 },
        pattern: { shape: "/", fgcolor: styled("--faint") },
      },
      error_x: { type: "data", array: half, color: styled("--ink"), thickness: 1.2 },
      text: network.totals.map((one) => `${"\u2003".repeat(2)}${one.text} ${one.interval}`),
      textposition: "outside",
      cliponaxis: false,
      hoverinfo: "skip",
    },
  ];
  draw(
    "networks-plot",
    traces,
    {
      height: 60 + 30 * names.length,
      barmode: "stack",
      margin: { l: besideNames(names) },
      xaxis: { title: { text: "time of all layers" }, range: [0, 1.35 * longest], ...SECONDS },
      yaxis: { autorange: "reversed" },
    },
    `Totals of ${network.title}: ${network.totals.map((one) => `${one.implementation} ${one.text}`).join(", ")}`,
  );
  caption(
    "networks",
    keysOf(
      machine,
      network.totals
        .map((one) => machine.implementations.indexOf(one.implementation))
        .filter((i) => i >= 0),
    ),
    `${network.layers} layers. “best per layer” uses what the table of cases advises for each.`,
  );
  fillTable(
    "networks",
    [
      ["implementation", false],
      ["total", true],
      ["95 %", true],
      ["layers of its own", true],
    ],
    () =>
      network.totals.map((one) => [
        one.implementation,
        one.text,
        one.interval,
        `${one.own_layers} of ${network.layers}`,
      ]),
  );
}
