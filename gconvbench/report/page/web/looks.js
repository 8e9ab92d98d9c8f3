// Colours, symbols and letters of implementations; light and dark.

// Okabe and Ito, "Color Universal Design" (2008), then Paul Tol's "muted" scheme (2021).
const COLOURS = [
  "#0072b2",
  "#e69f00",
  "#009e73",
  "#cc79a7",
  "#56b4e9",
  "#d55e00",
  "#999933",
  "#aa4499",
  "#44aa99",
  "#882255",
  "#88ccee",
  "#ddcc77",
];
const SYMBOLS = [
  "circle",
  "square",
  "diamond",
  "triangle-up",
  "cross",
  "x",
  "star",
  "triangle-down",
  "pentagon",
  "hexagon",
  "hourglass",
  "bowtie",
];
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

const colourOf = (number) => COLOURS[number % COLOURS.length];
// Of twelve times twelve no two have both in common.
const symbolOf = (number) =>
  SYMBOLS[(number + Math.floor(number / COLOURS.length)) % SYMBOLS.length];

function letterOf(number) {
  const times = Math.floor(number / LETTERS.length);
  return LETTERS[number % LETTERS.length] + (times ? times + 1 : "");
}

function styled(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function mixed(colour, ground, share) {
  const parts = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const full = ground.length === 4 ? "#" + [...ground.slice(1)].map((c) => c + c).join("") : ground;
  const [a, b] = [parts(colour), parts(full)];
  return `rgb(${a.map((value, i) => Math.round(share * value + (1 - share) * b[i])).join(",")})`;
}

function keyOf(number, name) {
  const key = element("span", { class: "key" }, letterOf(number));
  key.style.borderColor = colourOf(number);
  key.style.borderBottomWidth = "3px";
  return element("span", { class: "named" }, key, name);
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

const isNarrow = (id) => byId(id).clientWidth < 600;

function legendHeight(traces, width) {
  // The library sets as many entries into a row as the longest allows.
  const named = traces.filter((one) => one.showlegend !== false && one.type !== "heatmap");
  if (named.length < 2) return 0;
  const entry = 60 + 7 * Math.max(...named.map((one) => one.name.length));
  return 30 + 19 * Math.ceil(named.length / Math.max(1, Math.floor((width - 90) / entry)));
}

function draw(id, traces, layout, label) {
  const [ink, line, ground] = ["--ink", "--line", "--ground"].map(styled);
  const narrow = isNarrow(id);
  const axis = (own) => ({
    gridcolor: line,
    linecolor: line,
    zerolinecolor: line,
    fixedrange: narrow,
    ...own,
  });
  const legend = legendHeight(traces, byId(id).clientWidth);
  const whole = {
    font: { color: ink, family: "system-ui, sans-serif", size: narrow ? 11 : 13 },
    paper_bgcolor: ground,
    plot_bgcolor: ground,
    legend: { orientation: "h", yref: "container", y: 0, yanchor: "bottom" },
    showlegend: legend > 0,
    hoverlabel: { align: "left" },
    ...layout,
    // Margins that grow by themselves can swing between two sizes.
    margin: {
      l: 68,
      r: 15,
      t: 15,
      ...layout.margin,
      b: (layout.margin?.b ?? 55) + legend,
      autoexpand: false,
    },
    height: (layout.height ?? 380) + legend,
    xaxis: axis(layout.xaxis),
    yaxis: axis(layout.yaxis),
  };
  const config = { responsive: true, displaylogo: false, displayModeBar: narrow ? false : "hover" };
  byId(id).setAttribute("aria-label", label);
  return Plotly.react(byId(id), traces, whole, config);
}

const besideNames = (names) => 18 + 7.4 * Math.max(...names.map((name) => name.length));

const SECONDS = { tickformat: "~s", ticksuffix: "s", exponentformat: "SI" };

function logAxis(values, own) {
  const [low, high] = extent(values);
  const span = Math.log10(high / low);
  return { type: "log", dtick: span > 1.5 ? 1 : "D2", ...own };
}
