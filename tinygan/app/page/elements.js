/* Helpers to build the page. Text of a run is always set as textContent, so it is never interpreted as HTML. */

const $ = id => document.getElementById(id);
const COLOURS = ["var(--first)", "var(--second)", "var(--third)"];
const SVG = new DOMParser().parseFromString("<svg>", "text/html").querySelector("svg").namespaceURI;

/* Append a new element to `parent`, and return the element. text: its content, or null. */
function element(parent, tag, text, attributes = {}) {
  const inSvg = ["svg", "g", "path", "line", "text"].includes(tag);
  const node = inSvg ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== null) node.textContent = text;
  return parent.appendChild(node);
}

/* Replace the rows of a table. head: the cells of its first row, optional. */
function table(node, rows, head) {
  node.replaceChildren();
  if (head) { const row = element(node, "tr", null); head.forEach(cell => element(row, "th", cell)); }
  for (const cells of rows) { const row = element(node, "tr", null); cells.forEach(cell => element(row, "td", cell)); }
}

/* Return a number with one digit after the point; 0.0, not -0.0. */
const tenths = x => (Math.round(10 * x) / 10 + 0).toFixed(1);

function short(x) {
  if (x === null || x === undefined) return "-";
  const size = Math.abs(x);
  return size !== 0 && (size < 0.001 || size >= 1e5) ? x.toExponential(1) : String(Number(x.toPrecision(3)));
}
