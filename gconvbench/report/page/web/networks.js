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
  const ends = network.totals.map((one) => one.seconds * (1 + (one.half_width ?? 0)));
  const colours = network.totals.map((one) => {
    const i = machine.implementations.indexOf(one.implementation);
    return i < 0 ? styled("--faint") : colourOf(i);
  });
  const traces = [
    {
      type: "bar",
      orientation: "h",
      name: "its own layers",
      showlegend: false,
      y: names,
      x: network.totals.map((one) => one.own_seconds),
      marker: { color: colours },
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
      error_x: {
        type: "data",
        array: network.totals.map((one, i) => ends[i] - one.seconds),
        color: styled("--ink"),
        thickness: 1.2,
      },
      hoverinfo: "skip",
    },
    {
      type: "scatter",
      mode: "text",
      name: "totals",
      showlegend: false,
      y: names,
      x: ends,
      text: network.totals.map((one) => ` ${one.text} ${one.interval}`),
      textposition: "middle right",
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
      xaxis: {
        title: { text: "time of all layers" },
        range: [0, 1.4 * Math.max(...ends)],
        ...SECONDS,
      },
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
    `${network.layers} layers of run ${network.run}. “best per layer” takes the fastest of each, whether clearly so or not. Intervals are of each total; ratios in the answer are paired by rounds, and known better.`,
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
