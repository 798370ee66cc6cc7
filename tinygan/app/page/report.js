/* Display the content of a run, which report.py has put into the page as JSON. */

let run = null;

function contentOf(page) {
  return JSON.parse(page.getElementById("run").textContent);
}

function showRun(content) {
  const before = run;
  run = content;
  ({ step: steps = [] } = run.curves);
  document.title = run.preset + ", " + run.name;
  $("title").textContent = run.name;
  $("about").textContent = run.preset + " on " + run.data + (run.device ? ", on " + run.device : "") +
    "; step " + run.done + " of " + run.steps;
  showPlay(run.generator);
  showPlane(run.generator, run.discriminator, run.real);
  $("samples").hidden = !run.frames.length && !steps.length;
  $("log").hidden = !steps.length;
  document.querySelector("#samples .card").hidden = !steps.length;
  buildPanels();
  drawAll();
  showFrames(before);
  $("ways").hidden = !run.interpolation;
  if (run.interpolation) $("strip").src = run.interpolation;
  $("quality").hidden = !run.metrics;
  if (run.metrics) {
    table($("metrics"), run.metrics.compared, ["", "samples", "real images"]);
    $("measured").textContent = run.metrics.rest.map(row => row.join(" ")).join("; ");
  }
  $("commands").replaceChildren();
  for (const [what, command] of run.commands) {
    element($("commands"), "p", what, { class: "soft" });
    element($("commands"), "pre", command);
  }
  table($("settings"), run.settings);
}

showRun(contentOf(document));
new ResizeObserver(drawAll).observe($("curves"));
