/* Update the page while the run trains, if `train.py --watch` serves it. A page from disk requests nothing. */

const EVERY = 2000;  // milliseconds

async function renew(before) {
  let text = before;
  try {
    const answer = await fetch(location.pathname, { cache: "no-store" });
    if (answer.ok) text = await answer.text();
    if (text !== before) showRun(contentOf(new DOMParser().parseFromString(text, "text/html")));
    $("live").textContent = "This page follows the run.";
  } catch {
    $("live").textContent = "The run has ended, or cannot be reached.";
  }
  setTimeout(renew, EVERY, text);
}

if (location.protocol === "http:") renew("");
