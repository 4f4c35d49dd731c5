// Keeps the first page true: asks for its state every few seconds, and says so when no answer comes.
const page = document.getElementById("console");

function markStale() {
  const clock = page.querySelector(".clock");
  clock.classList.add("stale");
  clock.textContent = `No answer since ${clock.dataset.at} UTC: what you see is old.`;
}

// Where a link leads, but for the beginning of the period, which moves on.
function destination(link) {
  return link.getAttribute("href").replace(/due_at__gte=[^&]*/, "");
}

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(page.dataset.url, {headers: {"X-Requested-With": "XMLHttpRequest"}});
    if (answer.redirected) return window.location.reload(); // the session ended
    if (!answer.ok) return markStale();
    const fresh = await answer.text();
    const focused = document.activeElement;
    const place = page.contains(focused) && focused.matches("a") ? destination(focused) : null;
    page.innerHTML = fresh;
    const same = place && [...page.querySelectorAll("a")].find((link) => destination(link) === place);
    same?.focus({preventScroll: true}); // the keyboard stays where it was
  } catch (error) {
    markStale();
  }
}

setInterval(refresh, Number(page.dataset.everySeconds) * 1000);
document.addEventListener("visibilitychange", refresh);
