/* The pictures of the samples. The slider chooses a picture. The numbers of the same step are shown beside it. */

let frame = 0, timer = null;

function showFrame(number) {
  frame = Math.max(0, Math.min(number, run.frames.length - 1));
  const { step, picture } = run.frames[frame];
  $("slider").value = frame;
  $("picture").src = picture;
  $("picture").alt = "Samples after step " + step;
  $("step").textContent = "step " + step;
  showRow(rowOfFrame());
}

function rowOfFrame() {
  if (!run.frames.length) return steps.length - 1;
  return Math.max(0, steps.findLastIndex(step => step <= run.frames[frame].step));
}

function playFrames() {
  if (timer) { clearInterval(timer); timer = null; }
  else {
    if (frame === run.frames.length - 1) showFrame(0);
    timer = setInterval(() => { showFrame(frame + 1); if (frame === run.frames.length - 1) playFrames(); }, 250);
  }
  $("film").textContent = timer ? "pause" : "play";
}

/* Show the last picture, or the picture of the step in the address of the page. before: the content of the page before
   an update, or null. After an update, a chosen picture stays, unless it was the last one. */
function showFrames(before) {
  document.querySelector("#samples figure").hidden = !run.frames.length;
  $("shown").textContent = run.frames.length < run.pictures
    ? run.frames.length + " of " + run.pictures + " pictures are shown here; all are in the folder samples." : "";
  if (!run.frames.length) return;
  $("slider").max = run.frames.length - 1;
  const asked = Number(location.hash.slice(1));  // report.html#300 opens at step 300
  const chosen = before?.frames.length && frame < before.frames.length - 1;
  if (chosen) showFrame(frame);
  else if (asked && !before) showFrame(run.frames.findLastIndex(({ step }) => step <= asked));
  else showFrame(run.frames.length - 1);
}

$("slider").addEventListener("input", event => showFrame(Number(event.target.value)));
$("film").addEventListener("click", playFrames);
