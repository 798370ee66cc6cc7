/* The curves of the log. A panel is a card with one plot, as wide as the page allows. showRow(i) marks row i of
   run.curves with a vertical line in each plot, and shows the numbers of this row. */

let panels = [], steps = [];

function buildPanels() {
  $("curves").replaceChildren();
  panels = run.panels.map(panel => {
    const card = element($("curves"), "div", null, { class: "card" });
    element(card, "h3", panel.title);
    element(card, "p", panel.meaning, { class: "soft" });
    const legend = element(card, "div", null, { class: "legend" });
    const values = Object.entries(panel.lines).map(([column, name], i) => {
      const item = element(legend, "span", name + " ", { style: "color: " + COLOURS[i] });
      return element(item, "b", "");
    });
    const svg = element(card, "svg", null, { role: "img", "aria-label": panel.title });
    const made = { ...panel, columns: Object.keys(panel.lines), values, svg };
    svg.addEventListener("pointermove", event => {
      const at = made.stepAt(event.clientX - svg.getBoundingClientRect().left);
      const after = steps.findIndex(step => step >= at);
      showRow(after < 0 ? steps.length - 1 : after);
    });
    svg.addEventListener("pointerleave", () => showRow(rowOfFrame()));
    return made;
  });
}

function ticks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const size = [1, 2, 5, 10].map(n => n * power).find(n => n >= rough);
  const found = [];
  for (let n = Math.ceil(low / size); n * size <= high; n++) found.push(n * size);
  return found;
}

function decades(low, high) {
  const all = [];
  for (let power = Math.floor(low); power <= high; power++) for (const n of [1, 2, 5]) all.push(n * 10 ** power);
  const inside = all.filter(value => Math.log10(value) >= low && Math.log10(value) <= high);
  return inside.length < 7 ? inside : inside.filter(value => Number.isInteger(Math.log10(value)));
}

function range(panel) {
  const all = panel.columns.flatMap(column => run.curves[column]).filter(x => x !== null);
  const log = panel.log && all.every(x => x > 0), of = log ? Math.log10 : x => x;
  let low = panel.fraction ? 0 : Math.min(...all.map(of)), high = panel.fraction ? 1 : Math.max(...all.map(of));
  if (!(high > low)) { low -= 0.5; high += 0.5; }
  return { log, of, low, high };
}

function draw(panel) {
  const { svg } = panel, width = svg.clientWidth, height = svg.clientHeight;
  const left = 44, right = 6, top = 8, bottom = 20, last = steps[steps.length - 1];
  const { log, of, low, high } = range(panel), marks = log ? decades(low, high) : ticks(low, high, 4);
  const x = step => left + step / last * (width - left - right);
  const y = value => top + (high - of(value)) / (high - low) * (height - top - bottom);
  panel.stepAt = at => (at - left) / (width - left - right) * last;
  svg.replaceChildren();
  for (const value of marks) {
    element(svg, "line", null, { x1: left, x2: width - right, y1: y(value), y2: y(value) });
    element(svg, "text", short(value), { x: left - 6, y: y(value) + 4, "text-anchor": "end" });
  }
  for (const tick of ticks(0, last, width / 90)) {
    element(svg, "text", tick, { x: x(tick), y: height - 4, "text-anchor": x(tick) > width - 24 ? "end" : "middle" });
  }
  panel.columns.forEach((column, i) => {
    let path = "", pen = "M";
    run.curves[column].forEach((value, at) => {
      if (value === null) { pen = "M"; return; }
      path += pen + x(steps[at]).toFixed(1) + " " + y(value).toFixed(1);
      pen = "L";
    });
    const point = run.curves[column].length === 1 && path;  // a line through one point would be invisible
    const style = "stroke: " + COLOURS[i] + (point ? "; stroke-width: 6; stroke-linecap: round" : "");
    element(svg, "path", null, { d: point ? path + "h0" : path, style });
  });
  panel.here = element(svg, "line", null, { class: "here", y1: top, y2: height - bottom });
  panel.x = x;
}

function showRow(row) {
  if (!steps.length) return;
  $("when").textContent = "At step " + steps[row];
  const rows = [];
  for (const panel of panels) {
    panel.columns.forEach((column, i) => {
      const value = short(run.curves[column][row]);
      panel.values[i].textContent = value;
      rows.push([panel.title + (panel.columns.length > 1 ? ", " + panel.lines[column] : ""), value]);
    });
    panel.here.setAttribute("x1", panel.x(steps[row]));
    panel.here.setAttribute("x2", panel.x(steps[row]));
  }
  $("numbers").replaceChildren();
  table($("numbers"), rows);
}

function drawAll() {
  if (!steps.length) return;
  panels.forEach(draw);
  showRow(rowOfFrame());
}
