/* Two planes for toy data. The axes of the latent plane are the first two latent numbers. The user drags points in this
   plane, and sliders set the other latent numbers. The data plane shows G of these points over D's output, which is
   higher in red regions than in blue ones. */

const EDGE = 3;  // both planes show [-EDGE, EDGE]^2
const CLOUD = 600, LINES = 9, CELLS = 60;  // generated dots; lines of the latent grid in each direction; see surface
const MARKS = ["#d9661f", "#1f6fd0", "#1f9d78", "#8a4fc7", "#b58900"];
const plane = { marks: [[-1.5, 1], [1.5, 1], [0, 0], [-1.5, -1], [1.5, -1]], others: [] };

/* Build this section of the page. generator, discriminator: G and D as operations. real: points of the data. */
function showPlane(generator, discriminator, real) {
  $("plane").hidden = !generator || generator.shape.length !== 1;
  if ($("plane").hidden) return;
  const size = generator.latent_size;
  plane.G = generatorOf(generator);
  plane.real = real;
  plane.cloud = Array.from({ length: CLOUD }, () => plane.G(randomPoint(size), 0));
  plane.surface = surface(network(discriminator));
  if (plane.others.length !== Math.max(0, size - 2)) plane.others = Array(Math.max(0, size - 2)).fill(0);
  const names = plane.others.map((_, i) => "number " + (i + 3));
  buildSliders($("plane-sliders"), $("plane-more"), names, plane.others, (i, value) => {
    plane.others[i] = value;
    drawPlanes();
  });
  buildMarks();
  drawPlanes();
}

/* Return a canvas with D's output at CELLS x CELLS points: red above the median, blue below. The colour is transparent
   at the median, and strongest for the 5% of the points whose output is farthest from the median. */
function surface(D) {
  const at = i => ((i + 0.5) / CELLS * 2 - 1) * EDGE, values = [];
  for (let row = 0; row < CELLS; row++) for (let i = 0; i < CELLS; i++) values.push(D([at(i), -at(row)])[0]);
  const sorted = [...values].sort((a, b) => a - b), middle = sorted[sorted.length >> 1];
  const spread = values.map(value => Math.abs(value - middle)).sort((a, b) => a - b)[Math.floor(0.95 * values.length)];
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = CELLS;
  const pixels = new ImageData(CELLS, CELLS);
  values.forEach((value, i) => {
    const strength = Math.min(1, Math.abs(value - middle) / (spread || 1));
    pixels.data.set([...(value > middle ? [214, 80, 70] : [70, 120, 214]), 150 * strength], 4 * i);
  });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

/* Make a button for each mark, which the user can drag, or move with the arrow keys. */
function buildMarks() {
  document.querySelectorAll("#latent button").forEach(button => button.remove());
  plane.buttons = plane.marks.map((mark, i) => {
    const name = "point " + (i + 1) + ": drag it, or use the arrow keys";
    const button = element($("latent"), "button", i + 1, { type: "button", "aria-label": name, class: "mark" });
    button.style.background = MARKS[i];
    button.addEventListener("pointerdown", event => button.setPointerCapture(event.pointerId));
    button.addEventListener("pointermove", event => {
      if (!button.hasPointerCapture(event.pointerId)) return;
      const box = $("latent").getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width, y = (event.clientY - box.top) / box.height;
      moveMark(i, [(2 * x - 1) * EDGE, (1 - 2 * y) * EDGE]);
    });
    button.addEventListener("keydown", event => {
      const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
      if (!step) return;
      event.preventDefault();
      moveMark(i, [plane.marks[i][0] + step[0], plane.marks[i][1] + step[1]]);
    });
    return button;
  });
}

function moveMark(i, at) {
  plane.marks[i] = at.map(x => Math.max(-EDGE, Math.min(EDGE, x)));
  drawPlanes();
}

/* Return G of a point in the latent plane. */
const image = ([x, y]) => plane.G([x, y, ...plane.others], 0);

function drawPlanes() {
  const lines = [];
  for (let n = 0; n < LINES; n++) {
    const fixed = (2 * n / (LINES - 1) - 1) * 2, along = Array.from({ length: 41 }, (_, i) => (i / 20 - 1) * 2);
    lines.push(along.map(x => [x, fixed]), along.map(y => [fixed, y]));
  }
  const latent = brush($("latent").querySelector("canvas"));
  lines.forEach(latent.line);
  plane.marks.forEach(([x, y], i) => {
    plane.buttons[i].style.left = (x / EDGE + 1) * 50 + "%";
    plane.buttons[i].style.top = (1 - y / EDGE) * 50 + "%";
  });
  const world = brush($("world"));
  world.picture(plane.surface);
  plane.real.forEach(at => world.dot(at, 1.5, "#1f9d78"));
  plane.cloud.forEach(at => world.dot(at, 1.5, getComputedStyle(document.body).color));
  lines.forEach(line => world.line(line.map(image)));
  plane.marks.forEach((mark, i) => world.dot(image(mark), 9, MARKS[i], i + 1));
}

/* Return functions that draw on a canvas in the coordinates of a plane. */
function brush(canvas) {
  const size = canvas.width = canvas.height = 640, pen = canvas.getContext("2d");
  const pixel = ([x, y]) => [(x / EDGE + 1) * size / 2, (1 - y / EDGE) * size / 2];
  return {
    picture: drawn => pen.drawImage(drawn, 0, 0, size, size),
    line: points => {
      pen.beginPath();
      points.forEach(at => pen.lineTo(...pixel(at)));
      pen.strokeStyle = "#777";
      pen.stroke();
    },
    dot: (at, radius, colour, text) => {
      pen.beginPath();
      pen.arc(...pixel(at), 2 * radius, 0, 7);
      pen.fillStyle = colour;
      pen.fill();
      if (!text) return;
      pen.fillStyle = "#fff";
      pen.font = "bold 22px system-ui";
      pen.textAlign = "center";
      pen.textBaseline = "middle";
      pen.fillText(text, ...pixel(at));
    },
  };
}
