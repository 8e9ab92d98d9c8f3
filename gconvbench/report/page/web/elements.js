// Elements of the page. Whatever comes from result files becomes text here, never markup.

const byId = (id) => document.getElementById(id);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function cell(content, isNumber = false, name = "td") {
  const attributes = isNumber ? { class: "number" } : {};
  if (name === "th") attributes.scope = "row";
  return element(name, attributes, content);
}

function tableOf(heads, rows) {
  const head = element("tr", {});
  for (const [text, isNumber] of heads) {
    head.append(element("th", { scope: "col", class: isNumber ? "number" : null }, text));
  }
  const body = element("tbody");
  for (const row of rows) {
    const line = element("tr");
    row.forEach((content, i) => line.append(cell(content, heads[i][1], i ? "td" : "th")));
    body.append(line);
  }
  return element("table", {}, element("thead", {}, head), body);
}

function selectOf(label, options, chosen, onChange) {
  // options: [value, text] pairs
  const select = element("select");
  for (const [value, text] of options) select.append(element("option", { value }, text));
  select.value = chosen;
  select.addEventListener("change", () => onChange(select.value));
  return element("label", {}, label, select);
}

function distinct(values) {
  return [...new Set(values)];
}

function plain(text) {
  // The plotting library reads some markup and %{...} in texts; what is given to it means itself.
  return String(text)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll("%{", "%\u200b{");
}
