// Draws the figures of research.charts with Plotly, in the colours of tokens.css, and again when the theme turns.
// A trace, shape or annotation names its colour by a tone ("series-1", "good"); no figure holds a colour of its own.
{
  const source = document.currentScript.dataset.plotly;
  const IS_TOUCH = window.matchMedia("(pointer: coarse)");
  const KEYS = "Arrow keys move it, plus and minus zoom, Home shows all.";
  const drawn = new Map(); // element -> figure as it was delivered
  let loading = null;

  const color = (tone) => getComputedStyle(document.documentElement).getPropertyValue(`--${tone}`).trim();
  const faded = (tone, share) => `color-mix(in srgb, ${color(tone)} ${share}%, transparent)`;
  const series = () => [1, 2, 3, 4, 5, 6].map((number) => color(`series-${number}`));

  function library() {
    loading ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = source;
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => reject(new Error("the charts' library did not load"));
      document.head.append(script);
    });
    return loading;
  }

  // Plotly knows no color-mix(); a canvas tells any colour as rgba.
  function plain(cssColor) {
    const context = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d");
    context.fillStyle = cssColor;
    context.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
    return `rgba(${red}, ${green}, ${blue}, ${alpha / 255})`;
  }

  function heat(trace) {
    const ends = trace.meta?.tone ? ["back", null, trace.meta.tone] : ["heat-low", "heat-middle", "heat-high"];
    return ends.map((tone, place) => [place / 2, tone && color(tone)]).filter(([, shade]) => shade);
  }

  function coloredTrace(trace, number) {
    const tone = trace.meta?.tone ?? `series-${(number % 6) + 1}`;
    switch (trace.type) {
      case "candlestick":
        return {...trace, increasing: {line: {color: color("good"), width: 1}}, decreasing: {line: {color: color("bad"), width: 1}}};
      case "heatmap":
        return {...trace, colorscale: heat(trace), colorbar: {...trace.colorbar, tickfont: {color: color("soft")}, outlinewidth: 0}};
      case "pie":
        return {...trace, marker: {colors: series(), line: {color: color("back"), width: 2}}};
      case "bar":
        return {
          ...trace,
          marker: {...trace.marker, color: trace.meta?.tones?.map(color) ?? color(tone)},
          error_x: trace.error_x && {...trace.error_x, color: color("text")},
          error_y: trace.error_y && {...trace.error_y, color: color("text")},
        };
      default:
        return {
          ...trace,
          line: {...trace.line, color: color(tone)},
          marker: {...trace.marker, color: trace.meta?.tones?.map(color) ?? color(tone)},
          fillcolor: plain(faded(tone, 18)),
          error_y: trace.error_y && {...trace.error_y, color: color("soft")},
        };
    }
  }

  function coloredLayout(layout, width) {
    const narrow = width < 520;
    const axis = {gridcolor: color("line"), zerolinecolor: color("soft"), linecolor: color("line"), tickfont: {color: color("soft")}, automargin: true};
    const axes = Object.keys({xaxis: 0, yaxis: 0, ...layout}).filter((key) => /^[xy]axis\d*$/.test(key));
    return {
      ...layout,
      ...Object.fromEntries(axes.map((key) => [key, {...axis, ...layout[key], nticks: narrow && key.startsWith("x") ? 4 : layout[key]?.nticks}])),
      shapes: layout.shapes?.map((shape) => ({...shape, line: {...shape.line, color: color(shape.name)}, fillcolor: plain(faded(shape.name, 10))})),
      annotations: layout.annotations?.map((note) => ({...note, font: {...note.font, color: color(note.name ?? "soft")}})),
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: {family: "Inter, system-ui, sans-serif", size: 12, color: color("text")},
      hoverlabel: {bgcolor: color("raised"), bordercolor: color("line"), font: {color: color("text")}},
      legend: {orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: {color: color("soft")}, ...layout.legend},
      margin: {l: 8, r: 8, t: 8, b: 8, ...layout.margin},
      dragmode: IS_TOUCH.matches ? false : (layout.dragmode ?? "pan"), // a finger scrolls the page
      uirevision: "kept", // a zoom survives a redrawing
      autosize: true,
    };
  }

  async function draw(element, figure) {
    const Plotly = await library();
    if (!element.isConnected) return;
    if (!drawn.has(element)) element.replaceChildren();
    const isNew = !drawn.has(element);
    drawn.set(element, figure);
    await Plotly.react(element, figure.data.map(coloredTrace), coloredLayout(figure.layout, element.clientWidth), {
      displaylogo: false,
      displayModeBar: IS_TOUCH.matches ? false : "hover",
      modeBarButtonsToRemove: ["lasso2d", "select2d", "toImage"],
      responsive: false,
    });
    element.dataset.drawn = "true";
    if (isNew) {
      element.setAttribute("aria-label", `${element.getAttribute("aria-label")} ${KEYS}`);
      element.addEventListener("keydown", move);
      sizes.observe(element);
    }
  }

  const sizes = new ResizeObserver((entries) => {
    for (const {target} of entries) if (drawn.has(target)) window.Plotly.Plots.resize(target);
  });

  function move(event) {
    const axis = event.currentTarget._fullLayout?.xaxis;
    if (!axis || event.altKey || event.ctrlKey || event.metaKey) return;
    const [low, high] = axis.range.map((end) => axis.r2l(end));
    const span = high - low;
    const ends = {
      ArrowLeft: [low - span / 5, high - span / 5],
      ArrowRight: [low + span / 5, high + span / 5],
      "+": [low + span / 5, high - span / 5],
      "-": [low - span / 5, high + span / 5],
    }[event.key];
    if (!ends && event.key !== "Home") return;
    event.preventDefault();
    const change = ends ? {"xaxis.range": ends.map((end) => axis.l2r(end))} : {"xaxis.autorange": true, "yaxis.autorange": true};
    window.Plotly.relayout(event.currentTarget, change);
  }

  function fail(element) {
    if (drawn.has(element)) return; // what is drawn stays; the next answer replaces it
    const words = document.createElement("p");
    words.className = "failed";
    words.textContent = "The chart could not be loaded. Reload the page to try again.";
    element.replaceChildren(words);
  }

  async function fetched(url) {
    const answer = await fetch(url, {headers: {Accept: "application/json"}});
    if (answer.redirected || !answer.ok) throw new Error(`no figure: ${answer.status}`);
    return answer.json();
  }

  async function show(element) {
    try {
      const {figureId, figureUrl} = element.dataset;
      await draw(element, figureId ? JSON.parse(document.getElementById(figureId).textContent) : await fetched(figureUrl));
    } catch (error) {
      fail(element);
    }
  }

  async function refresh(element) {
    if (document.hidden || element.matches(":hover, :focus-within, :focus")) return;
    await show(element);
  }

  function begin(root) {
    for (const element of root.querySelectorAll?.(".plot[data-figure-id], .plot[data-figure-url]") ?? []) {
      if (drawn.has(element)) continue;
      show(element);
      const seconds = Number(element.dataset.everySeconds);
      if (seconds) {
        const timer = setInterval(() => (element.isConnected ? refresh(element) : clearInterval(timer)), seconds * 1000);
      }
    }
  }

  new MutationObserver(() => {
    for (const [element, figure] of drawn) {
      if (element.isConnected) draw(element, figure);
      else drawn.delete(element);
    }
  }).observe(document.documentElement, {attributes: true, attributeFilter: ["class"]});

  document.addEventListener("htmx:load", (event) => begin(event.detail.elt)); // parts that HTMX put in
  begin(document);
}
