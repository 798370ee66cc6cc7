/* "Play with it": G generates images in the page. The state is a latent vector and a class. */

const play = { point: [], label: 0, from: [], to: [], walking: null, waiting: [], grid: [] };
const SHOWN = 8;  // sliders that are always visible
const GRID = 24;  // images in the section "Other points"

/* Build the section. If showPlay is called again, with new weights, the latent vector and the class stay. */
function showPlay(generator) {
  $("play").hidden = !generator || generator.shape.length === 1;
  if ($("play").hidden) return;
  play.G = generatorOf(generator);
  play.shape = generator.shape;
  if (play.point.length !== generator.latent_size) {
    [play.point, play.from, play.to] = [0, 1, 2].map(() => randomPoint(generator.latent_size));
    play.point = play.from;
    play.label = Math.min(play.label, Math.max(0, generator.classes - 1));
  }
  buildSliders($("sliders"), $("more"), generator.names, play.point, setLatent);
  buildClasses(generator.class_names);
  newGrid();
  showPoint();
}

/* Make a slider for each latent number. change(i, value) is called when the user moves slider i. The first SHOWN
   sliders are put into the element `first`, all others into `rest`. */
function buildSliders(first, rest, names, point, change) {
  first.replaceChildren();
  rest.replaceChildren();
  rest.parentElement.hidden = names.length <= SHOWN;
  names.forEach((name, i) => {
    const row = element(i < SHOWN ? first : rest, "label", null, { class: "latent" });
    element(row, "span", name || "number " + (i + 1));
    const slider = element(row, "input", null, { type: "range", min: -3, max: 3, step: 0.05, value: point[i] });
    const value = element(row, "output", tenths(point[i]));
    slider.addEventListener("input", () => {
      value.textContent = tenths(Number(slider.value));
      change(i, Number(slider.value));
    });
  });
}

/* Make a button with an image of G. point() returns its latent vector, and label() its class. */
function thumbnail(parent, name, point, label, click) {
  const attributes = { type: "button", class: "thumbnail", "aria-label": name, title: name };
  const button = element(parent, "button", null, attributes);
  const canvas = element(button, "canvas", null);
  button.addEventListener("click", click);
  return { button, draw: () => paint(canvas, play.G(point(), label()), play.shape) };
}

function buildClasses(names) {
  $("classes").replaceChildren();
  $("kinds").hidden = !names.length;
  play.classes = names.map((name, label) => {
    const made = thumbnail($("classes"), name, () => play.point, () => label, () => {
      play.label = label;
      showPoint();
      drawLater(play.grid);
    });
    element(made.button, "span", name);
    return made;
  });
  $("ends").replaceChildren();
  play.ends = ["from", "to"].map(end => thumbnail(
    $("ends"), end === "from" ? "the start: put the current point here" : "the end: put the current point here",
    () => play[end], () => play.label, () => { play[end] = play.point; drawLater(play.ends); }));
}

function newGrid() {
  $("grid").replaceChildren();
  play.grid = Array.from({ length: GRID }, (_, i) => {
    const point = randomPoint(play.point.length);
    return thumbnail($("grid"), "point " + (i + 1), () => point, () => play.label, () => goTo(point));
  });
  drawLater(play.grid);
}

/* Set one latent number. */
function setLatent(i, value) {
  stopWalk();
  play.point = play.point.with(i, value);
  showPoint();
}

function goTo(point) {
  stopWalk();
  play.point = point;
  showPoint();
}

/* Draw the image of the current point now, and the thumbnails that depend on it later. */
function showPoint() {
  paint($("image"), play.G(play.point, play.label), play.shape);
  document.querySelectorAll("#play .latent").forEach((row, i) => {
    row.querySelector("input").value = play.point[i];
    row.querySelector("output").textContent = tenths(play.point[i]);
  });
  play.classes.forEach(({ button }, label) => button.setAttribute("aria-pressed", label === play.label));
  drawLater([...play.classes, ...play.ends]);
}

/* Draw thumbnails in the next frames. A frame spends about 10 ms on them, so sliders and the walk remain smooth. */
function drawLater(thumbnails) {
  if (!play.waiting.length) requestAnimationFrame(drawWaiting);
  play.waiting = [...new Set([...play.waiting, ...thumbnails])];
}

function drawWaiting() {
  const until = performance.now() + 10;
  do play.waiting.shift()?.draw(); while (play.waiting.length && performance.now() < until);
  if (play.waiting.length) requestAnimationFrame(drawWaiting);
}

/* Show the point at t, from 0 to 1, on the walk from play.from to play.to. */
function walkTo(t) {
  $("way").value = t;
  play.point = slerp(play.from, play.to, t);
  showPoint();
}

/* Walk from one end to the other and back, for 3 seconds in each direction, again and again. */
function startWalk() {
  const begun = performance.now() - 3000 * Number($("way").value);
  const step = now => {
    const turns = (now - begun) / 3000 % 2;
    walkTo(turns < 1 ? Math.max(0, turns) : 2 - turns);
    play.walking = requestAnimationFrame(step);
  };
  play.walking = requestAnimationFrame(step);
  $("walk").textContent = "stop";
}

function stopWalk() {
  cancelAnimationFrame(play.walking);
  play.walking = null;
  $("walk").textContent = "walk";
}

$("walk").addEventListener("click", () => play.walking ? stopWalk() : startWalk());
$("way").addEventListener("input", () => { stopWalk(); walkTo(Number($("way").value)); });
$("random").addEventListener("click", () => goTo(randomPoint(play.point.length)));
$("others").addEventListener("click", newGrid);
