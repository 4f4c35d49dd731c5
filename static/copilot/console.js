// What keeps itself true: elements with data-live, which HTMX asks for anew every few seconds.
// Nothing is asked for while nobody looks, nothing is replaced under a hand that types, and an old page says that it is old.
{
  const isLive = (element) => element.closest?.("[data-live]") !== null;
  let place = null; // where the keyboard was before a part was replaced

  // Where a link leads, but for the beginning of the period, which moves on.
  const destination = (link) => link.getAttribute("href").replace(/due_at__gte=[^&]*/, "");

  function markStale(element) {
    const clock = element.querySelector(".clock") ?? document.querySelector(".clock");
    if (!clock) return;
    clock.classList.add("stale");
    clock.textContent = `No answer since ${clock.dataset.at} UTC: what you see is old.`;
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && isLive(event.detail.elt)) event.preventDefault();
  });

  document.addEventListener("htmx:beforeSwap", (event) => {
    const {xhr, pathInfo, target} = event.detail;
    const asked = new URL(pathInfo.requestPath, window.location.href).pathname;
    if (xhr.responseURL && new URL(xhr.responseURL).pathname !== asked) {
      event.detail.shouldSwap = false;
      window.location.reload(); // the session ended: the answer is the login page
      return;
    }
    remember(event, target);
  });
  document.addEventListener("htmx:oobBeforeSwap", (event) => remember(event, event.detail.target));

  function remember(event, target) {
    if (target.querySelector("details[open]")) event.detail.shouldSwap = false; // somebody reads there
    const focused = document.activeElement;
    if (!target.contains(focused)) return;
    if (focused.matches("input, select, textarea")) event.detail.shouldSwap = false;
    place = focused.matches("a") ? destination(focused) : null;
  }

  function goBack() {
    if (place === null) return;
    const same = [...document.querySelectorAll("#content a")].find((link) => destination(link) === place);
    place = null;
    same?.focus({preventScroll: true}); // the keyboard stays where it was
  }
  document.addEventListener("htmx:afterSwap", goBack);
  document.addEventListener("htmx:oobAfterSwap", goBack);

  for (const failure of ["htmx:sendError", "htmx:responseError", "htmx:timeout"]) {
    document.addEventListener(failure, (event) => isLive(event.detail.elt) && markStale(event.detail.elt));
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    for (const element of document.querySelectorAll("[data-live]")) window.htmx.trigger(element, "wake");
  });
}

// A choice that is made is asked for at once; without scripts its button does the same.
for (const select of document.querySelectorAll("select[data-submits]")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}
