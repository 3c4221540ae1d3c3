"use strict";
(() => {
  const parse = (id) => JSON.parse(document.getElementById(id).textContent);
  const data = parse("data");
  const photos = parse("photos");
  const count = data.ids.length;
  const $ = (id) => document.getElementById(id);
  const UNDEFINED = 255, TOP = 254, QUADRANTS = ["relies", "looks only", "uses unseen", "clean", "undetermined"];

  const bytesOf = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const palette = bytesOf(data.palette);
  for (const map of data.maps) map.values = bytesOf(map.bytes);

  const state = {
    map: 0, opacity: 60, sort: "worst", descending: true, page: 0, size: 24,
    verdict: "", label: "", pred: "", region: "", quadrant: "", text: "", score: "", min: "", max: "",
  };
  let shown = [];
  let open = -1;

  // Elements: text is only ever set as text, never as markup.
  function element(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined) continue;
      if (name === "text") node.textContent = value;
      else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  }
  const isNumber = (value) => typeof value === "number";
  const shownNumber = (value, digits = 2) => (isNumber(value) ? value.toFixed(digits) : "—");
  const percent = (value) => (isNumber(value) ? `${(100 * value).toFixed(0)} %` : "—");
  const grouped = (value) => value.toLocaleString("en");

  // Scores: what images are sorted and filtered by, of the chosen map where they depend on it.
  function scatter(rows, values) {
    const spread = new Array(count).fill(null);
    rows.forEach((row, place) => { spread[row] = values[place]; });
    return spread;
  }
  function scores() {
    const found = [
      { key: "confidence", title: "confidence", values: data.confidence },
      { key: "true_prob", title: "probability of the true class", values: data.true_prob },
    ];
    const map = data.maps[state.map];
    if (map) {
      found.push({ key: "peak", title: "hottest patch", values: map.peak });
      for (const score of map.scores) found.push({ key: `noise:${score.key}`, title: score.title, values: score.values });
      for (const region of data.regions) {
        const own = region.maps[map.id];
        if (!own) continue;
        const name = region.category;
        found.push({ key: `share:${region.role}:${name}`, title: `share on ${name}`, values: scatter(region.rows, own.share) });
        found.push({ key: `lift:${region.role}:${name}`, title: `lift of ${name}`, values: scatter(region.rows, own.lift) });
      }
      if (data.regions.some((region) => region.role === "distractor")) {
        found.push({ key: "distractor", title: "share on any distractor", values: distractorShare(map.id) });
      }
    }
    for (const region of data.regions) {
      found.push({ key: `drop:${region.role}:${region.category}`, title: `probability lost without ${region.category}`, values: scatter(region.rows, region.delta_prob) });
    }
    return found;
  }
  function distractorShare(mapId) {
    const sums = new Array(count).fill(null);
    for (const region of data.regions) {
      const own = region.maps[mapId];
      if (region.role !== "distractor" || !own) continue;
      region.rows.forEach((row, place) => {
        if (isNumber(own.share[place])) sums[row] = (sums[row] ?? 0) + own.share[place];
      });
    }
    return sums;
  }
  const SIMPLE_SORTS = { worst: "worst mistakes first", order: "order of the dataset", name: "name" };
  // Small is what one looks for first in these.
  const ascendingFirst = (key) => key === "true_prob" || key === "noise:noise_rank" || key === "order" || key === "name";

  let currentScores = scores();
  const scoreOf = (key) => currentScores.find((score) => score.key === key);

  // Filtering and sorting.
  function quadrantsOf(category) {
    const mapId = data.maps[state.map]?.id;
    const found = new Map();
    for (const region of data.regions) {
      if (category && category !== `${region.role}:${region.category}`) continue;
      region.rows.forEach((row, place) => {
        const quadrant = region.maps[mapId]?.quadrant[place];
        if (!found.has(row)) found.set(row, new Set());
        if (quadrant) found.get(row).add(quadrant);
      });
    }
    return found;
  }
  function matching() {
    const needle = state.text.trim().toLowerCase();
    const range = scoreOf(state.score);
    const [least, most] = [state.min, state.max].map((value) => (value === "" ? null : Number(value)));
    const quadrants = state.region || state.quadrant ? quadrantsOf(state.region) : null;
    const kept = [];
    for (let row = 0; row < count; row += 1) {
      const isRight = data.labels[row] === data.preds[row];
      if (state.verdict && (state.verdict === "right") !== isRight) continue;
      if (state.label !== "" && data.labels[row] !== Number(state.label)) continue;
      if (state.pred !== "" && data.preds[row] !== Number(state.pred)) continue;
      if (needle && !data.ids[row].toLowerCase().includes(needle)) continue;
      if (quadrants && !quadrants.has(row)) continue;
      if (state.quadrant && !quadrants.get(row).has(state.quadrant)) continue;
      if (range && (least !== null || most !== null)) {
        const value = range.values[row];
        if (!isNumber(value) || (least !== null && value < least) || (most !== null && value > most)) continue;
      }
      kept.push(row);
    }
    return kept;
  }
  function sorted(rows) {
    const sign = state.descending ? -1 : 1;
    if (state.sort === "order") return state.descending ? rows.reverse() : rows;
    if (state.sort === "name") return rows.sort((a, b) => sign * (data.ids[a] < data.ids[b] ? -1 : 1));
    if (state.sort === "worst") {
      const badness = (row) => (data.labels[row] === data.preds[row] ? -data.confidence[row] : 1 + data.confidence[row]);
      return rows.sort((a, b) => sign * (badness(a) - badness(b)) || a - b);
    }
    const values = scoreOf(state.sort).values;
    return rows.sort((a, b) => {
      const [left, right] = [values[a], values[b]];
      if (!isNumber(left) || !isNumber(right)) return isNumber(right) - isNumber(left) || a - b;
      return sign * (left - right) || a - b;
    });
  }

  // Maps: bilinear between patch centres, constant outside the outer ones, on the fixed scale of the run.
  function weights(numPatches, numPixels, start, stop) {
    const found = [];
    for (let pixel = 0; pixel < numPixels; pixel += 1) {
      const place = start + ((pixel + 0.5) * (stop - start)) / numPixels;
      const centre = Math.min(Math.max(place * numPatches - 0.5, 0), numPatches - 1);
      const left = Math.min(Math.floor(centre), Math.max(0, numPatches - 2));
      found.push({ left, right: Math.min(left + 1, numPatches - 1), part: centre - left, isSeen: place >= 0 && place <= 1 });
    }
    return found;
  }
  function drawMap(row, index, longSide) {
    const { grid: [numRows, numColumns], values } = data.maps[index];
    const start = row * numRows * numColumns;
    if (values[start] === UNDEFINED) return null;
    const aspect = data.aspects[row];
    const canvas = element("canvas", { "aria-hidden": "true", "data-map": data.maps[index].id });
    canvas.width = Math.max(1, Math.round(aspect >= 1 ? longSide : longSide * aspect));
    canvas.height = Math.max(1, Math.round(aspect >= 1 ? longSide / aspect : longSide));
    const [top, bottom, left, right] = data.extents ? data.extents[row] : [0, 1, 0, 1];
    const down = weights(numRows, canvas.height, top, bottom), across = weights(numColumns, canvas.width, left, right);
    const context = canvas.getContext("2d");
    const image = context.createImageData(canvas.width, canvas.height);
    let offset = 0;
    for (const y of down) {
      const upper = start + y.left * numColumns, lower = start + y.right * numColumns;
      for (const x of across) {
        const above = values[upper + x.left] * (1 - x.part) + values[upper + x.right] * x.part;
        const below = values[lower + x.left] * (1 - x.part) + values[lower + x.right] * x.part;
        const level = 3 * Math.round(((above * (1 - y.part) + below * y.part) * 255) / TOP);
        image.data[offset] = palette[level];
        image.data[offset + 1] = palette[level + 1];
        image.data[offset + 2] = palette[level + 2];
        image.data[offset + 3] = y.isSeen && x.isSeen ? 255 : 0;
        offset += 4;
      }
    }
    context.putImageData(image, 0, 0);
    return canvas;
  }
  /** The photo in a stage of the given proportions, under a map (an index, or -1 for none). */
  function stage(row, index, longSide, stageAspect) {
    const aspect = data.aspects[row];
    const frame = element("span", { class: index < 0 ? "photo plain" : "photo" });
    frame.style.width = aspect >= stageAspect ? "100%" : `${(100 * aspect) / stageAspect}%`;
    frame.style.aspectRatio = String(aspect);
    if (photos[row]) frame.append(element("img", { src: `data:image/jpeg;base64,${photos[row]}`, alt: "", decoding: "async" }));
    else frame.append(element("span", { class: "no-photo", text: "photo not available" }));
    if (index >= 0) frame.append(drawMap(row, index, longSide) ?? element("span", { class: "no-map", text: "no map" }));
    const node = element("span", { class: "stage" }, frame);
    node.style.aspectRatio = String(stageAspect);
    return node;
  }

  // The grid.
  const className = (index) => data.classes[index];
  function described(row) {
    const isRight = data.labels[row] === data.preds[row];
    return `${isRight ? "right" : "wrong"}: ${className(data.preds[row])}, confidence ${shownNumber(data.confidence[row])}${isRight ? "" : `, true class ${className(data.labels[row])}`}; ${data.ids[row]}`;
  }
  function tile(row, place) {
    const isRight = data.labels[row] === data.preds[row];
    const node = element("button", {
      type: "button", class: `tile ${isRight ? "is-right" : "is-wrong"}`, "data-row": row, tabindex: place ? "-1" : "0",
      "aria-label": described(row), onclick: () => view(state.page * state.size + place),
    });
    node.append(
      stage(row, data.maps.length ? state.map : -1, 176, 4 / 3),
      element("span", {},
        element("span", { class: isRight ? "good" : "poor", text: `${isRight ? "✓" : "✗"} ${className(data.preds[row])}` }),
        ` ${shownNumber(data.confidence[row])}`),
    );
    if (!isRight) node.append(element("span", { class: "score", text: `true: ${className(data.labels[row])}` }));
    const score = scoreOf(state.sort);
    if (score && score.key !== "confidence") {
      node.append(element("span", { class: "score muted", text: `${score.title}: ${shownNumber(score.values[row])}` }));
    }
    node.append(element("span", { class: "name muted", text: data.ids[row] }));
    return node;
  }
  const numPages = () => Math.max(1, Math.ceil(shown.length / state.size));
  function drawPage() {
    state.page = Math.min(Math.max(0, state.page), numPages() - 1);
    const rows = shown.slice(state.page * state.size, (state.page + 1) * state.size);
    const tiles = rows.map(tile);
    if (!rows.length) tiles.push(element("p", { class: "empty", text: "No image fits these filters." }));
    $("grid").replaceChildren(...tiles);
    $("page").textContent = `Page ${state.page + 1} of ${numPages()}`;
    for (const id of ["first", "previous"]) $(id).disabled = state.page === 0;
    for (const id of ["next", "last"]) $(id).disabled = state.page >= numPages() - 1;
  }
  const FILTERS = ["verdict", "label", "pred", "region", "quadrant", "text", "min", "max"];
  function refresh() {
    shown = sorted(matching());
    state.page = 0;
    drawPage();
    const active = FILTERS.filter((name) => state[name] !== "").length;
    $("active").textContent = active ? `(${active} active)` : "";
    $("clear").hidden = !active;
    $("status").textContent = `${grouped(shown.length)} of ${grouped(count)} images`;
    const isUp = !state.descending;
    $("direction").textContent = state.sort === "worst" ? (isUp ? "↑ best first" : "↓ worst first") : isUp ? "↑ smallest first" : "↓ largest first";
    if (state.sort === "order" || state.sort === "name") $("direction").textContent = isUp ? "↑ forward" : "↓ backward";
    $("direction").setAttribute("aria-pressed", String(isUp));
  }
  function goTo(page) {
    state.page = page;
    drawPage();
    $("status").textContent = `${grouped(shown.length)} of ${grouped(count)} images, page ${state.page + 1} of ${numPages()}`;
  }

  // Controls.
  function fillSelect(id, options, keep = 0) {
    const select = $(id);
    const value = select.value;
    while (select.length > keep) select.remove(keep);
    for (const [key, title] of options) select.append(element("option", { value: key, text: title }));
    select.value = [...select.options].some((option) => option.value === value) ? value : select.options[0]?.value ?? "";
  }
  function fillScores() {
    currentScores = scores();
    const listed = currentScores.map((score) => [score.key, score.title]);
    fillSelect("sort", [...Object.entries(SIMPLE_SORTS), ...listed]);
    fillSelect("score", listed);
    $("sort").value = state.sort;
    if ($("sort").value !== state.sort) { state.sort = "worst"; $("sort").value = "worst"; }
    state.score = $("score").value;
  }
  function showControls() {
    for (const name of [...FILTERS, "score", "sort"]) $(name).value = state[name];
    $("opacity").value = state.opacity;
    $("map").value = state.map;
  }
  function apply(changes) {
    Object.assign(state, changes);
    showControls();
    refresh();
  }
  const cleared = () => Object.fromEntries(FILTERS.map((name) => [name, ""]));
  function sortBy(key) {
    return { sort: key, descending: !ascendingFirst(key) };
  }
  function setOpacity(value) {
    state.opacity = Math.min(100, Math.max(0, value));
    document.documentElement.style.setProperty("--map-opacity", String(state.opacity / 100));
    document.body.classList.toggle("has-map", state.opacity > 0 && data.maps.length > 0);
    $("opacity").value = state.opacity;
    $("opacity-value").textContent = `${state.opacity} %`;
  }
  function shortcut(title, changes) {
    return element("button", { type: "button", text: title, onclick: () => apply({ ...cleared(), ...changes() }) });
  }
  function addShortcuts() {
    const buttons = [shortcut("All", () => sortBy("worst")), shortcut("✗ Wrong", () => ({ verdict: "wrong", ...sortBy("worst") }))];
    if (scoreOf("noise:noise_rank")) buttons.push(shortcut("Noisiest maps", () => sortBy("noise:noise_rank")));
    const distractors = data.regions.filter((region) => region.role === "distractor");
    if (distractors.length && data.maps.length) {
      if (distractors.length > 1) buttons.push(shortcut("Most on a distractor", () => sortBy("distractor")));
      for (const region of distractors.slice(0, 5)) {
        buttons.push(shortcut(`Most on ${region.category}`, () => ({ region: `distractor:${region.category}`, ...sortBy(`share:distractor:${region.category}`) })));
      }
      for (const region of distractors.slice(0, 5)) {
        if (Object.values(region.maps).some((own) => own.quadrant.includes("relies"))) {
          buttons.push(shortcut(`Relies on ${region.category}`, () => ({ region: `distractor:${region.category}`, quadrant: "relies", ...sortBy(`share:distractor:${region.category}`) })));
        }
      }
    }
    $("shortcuts").append(...buttons);
  }
  function setUp() {
    fillSelect("map", data.maps.map((map, index) => [index, map.id]));
    fillSelect("label", data.classes.map((name, index) => [index, name]), 1);
    fillSelect("pred", data.classes.map((name, index) => [index, name]), 1);
    fillSelect("region", data.regions.map((region) => [`${region.role}:${region.category}`, `${region.category} (${region.role})`]), 1);
    fillSelect("quadrant", QUADRANTS.map((name) => [name, name]), 1);
    for (const node of document.querySelectorAll(".wants-map")) node.hidden = !data.maps.length;
    for (const node of document.querySelectorAll(".wants-region")) node.hidden = !data.regions.length;
    fillScores();
    addShortcuts();
    for (const name of [...FILTERS, "score"]) {
      $(name).addEventListener($(name).tagName === "SELECT" ? "change" : "input", () => { state[name] = $(name).value; refresh(); });
    }
    $("map").addEventListener("change", () => { state.map = Number($("map").value); fillScores(); refresh(); });
    $("sort").addEventListener("change", () => apply(sortBy($("sort").value)));
    $("direction").addEventListener("click", () => apply({ descending: !state.descending }));
    $("opacity").addEventListener("input", () => setOpacity(Number($("opacity").value)));
    $("clear").addEventListener("click", () => apply(cleared()));
    $("size").addEventListener("change", () => { const first = state.page * state.size; state.size = Number($("size").value); goTo(Math.floor(first / state.size)); });
    const steps = { first: () => 0, previous: () => state.page - 1, next: () => state.page + 1, last: () => numPages() - 1 };
    for (const [id, target] of Object.entries(steps)) {
      $(id).addEventListener("click", () => { goTo(target()); $("gallery").scrollIntoView({ block: "start" }); });
    }
    for (const link of document.querySelectorAll("[data-true]")) {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        apply({ ...cleared(), label: link.dataset.true, pred: link.dataset.pred ?? "", ...sortBy("confidence") });
        $("filters").open = true;
        $("gallery").scrollIntoView({ block: "start" });
        $("gallery-title").focus({ preventScroll: true });
      });
    }
    for (const node of document.querySelectorAll(".without-script")) node.remove();
    $("controls").hidden = false;
    $("pager").hidden = false;
    $("filters").open = window.innerWidth > 900;
    setOpacity(state.opacity);
  }

  // Keyboard: arrows move within the page and over its ends; Enter is the button's own.
  function columns(tiles) {
    const top = tiles[0].offsetTop;
    const wrapped = tiles.findIndex((node) => node.offsetTop > top);
    return wrapped < 0 ? tiles.length : wrapped;
  }
  function focusTile(place) {
    const tiles = [...$("grid").querySelectorAll(".tile")];
    const target = tiles[Math.min(Math.max(0, place), tiles.length - 1)];
    for (const node of tiles) node.tabIndex = node === target ? 0 : -1;
    target?.focus();
  }
  $("grid").addEventListener("keydown", (event) => {
    const tiles = [...$("grid").querySelectorAll(".tile")];
    const place = tiles.indexOf(document.activeElement);
    if (place < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(tiles), ArrowUp: -columns(tiles) }[event.key];
    let target = null;
    if (event.key === "Home") target = 0;
    else if (event.key === "End") target = tiles.length - 1;
    else if (event.key === "PageDown" || event.key === "PageUp") {
      const page = state.page + (event.key === "PageDown" ? 1 : -1);
      if (page >= 0 && page < numPages()) { goTo(page); target = 0; } else target = place;
    } else if (step === undefined) return;
    else {
      target = place + step;
      if (target >= tiles.length && step === 1 && state.page < numPages() - 1) { goTo(state.page + 1); target = 0; }
      else if (target < 0 && step === -1 && state.page > 0) { goTo(state.page - 1); target = state.size - 1; }
      else if (target < 0 || target >= tiles.length) target = place;
    }
    event.preventDefault();
    focusTile(target);
  });

  // The viewer: one image, all its maps.
  function table(headings, rows) {
    return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": headings.join(", ") }, element("table", {},
      element("thead", {}, element("tr", {}, ...headings.map((text) => element("th", { scope: "col", text })))),
      element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells.map((text, place) => element(place ? "td" : "th", { class: place ? "num" : null, scope: place ? null : "row", text })))))));
  }
  function panel(row, index) {
    const caption = element("figcaption", {});
    if (index < 0) caption.append("photo");
    else caption.append(element("strong", { text: data.maps[index].id }), element("span", { class: "muted", text: ` hottest patch ${shownNumber(data.maps[index].peak[row], 1)}` }));
    return element("figure", {}, stage(row, index, 320, Math.max(0.75, data.aspects[row])), caption);
  }
  function noiseRows(row) {
    return data.maps.filter((map) => map.scores.length).map((map) => [map.id, ...map.scores.map((score) => shownNumber(score.values[row], Number.isInteger(score.values[row]) ? 0 : 2))]);
  }
  function regionRows(row) {
    const found = [];
    for (const region of data.regions) {
      const place = region.rows.indexOf(row);
      if (place < 0) continue;
      for (const map of data.maps) {
        const own = region.maps[map.id];
        if (own) found.push([`${region.category} (${region.role})`, map.id, percent(own.share[place]), percent(region.area[place]), shownNumber(own.lift[place], 1), own.quadrant[place] ?? "—", shownNumber(region.delta_prob[place]), region.flip[place] ? "yes" : "no"]);
      }
    }
    return found;
  }
  function fillViewer() {
    const row = shown[open];
    const isRight = data.labels[row] === data.preds[row];
    const head = element("div", { class: "viewer-head" },
      element("h3", { id: "viewer-title", text: data.ids[row] }),
      element("span", { class: "muted", text: `${grouped(open + 1)} of ${grouped(shown.length)}` }),
      element("button", { type: "button", "aria-label": "Previous image (left arrow)", text: "‹", onclick: () => move(-1) }),
      element("button", { type: "button", "aria-label": "Next image (right arrow)", text: "›", onclick: () => move(1) }),
      element("button", { type: "button", id: "close", text: "Close ✕", onclick: () => $("viewer").close() }));
    head.querySelectorAll("button")[0].disabled = open === 0;
    head.querySelectorAll("button")[1].disabled = open === shown.length - 1;
    const verdict = element("p", { class: "verdict" },
      element("span", { class: isRight ? "good" : "poor", text: `${isRight ? "✓" : "✗"} ${className(data.preds[row])}` }),
      ` with confidence ${shownNumber(data.confidence[row])}`,
      isRight ? "" : `; the true class is ${className(data.labels[row])} (${shownNumber(data.true_prob[row])})`);
    const body = element("div", { class: "viewer-body" }, verdict);
    if (data.maps.length) {
      const slider = element("input", { type: "range", min: "0", max: "100", step: "5", oninput: (event) => setOpacity(Number(event.target.value)) });
      slider.value = state.opacity;
      body.append(element("p", {}, element("label", {}, "Opacity of the maps ", slider)));
    }
    body.append(element("div", { class: "panels" }, ...[-1, ...data.maps.keys()].map((index) => panel(row, index))));
    const facts = element("div", { class: "facts" }, table(["Class", "Probability"], data.top[row].map((index, place) => [`${className(index)}${index === data.labels[row] ? " (true)" : ""}`, shownNumber(data.top_probs[row][place], 3)])));
    const regions = regionRows(row);
    if (regions.length) facts.append(table(["Region", "Map", "Share", "Area", "Lift", "Quadrant", "Probability lost", "Flips"], regions));
    const noise = noiseRows(row);
    if (noise.length) facts.append(table(["Map", ...data.maps[0].scores.map((score) => score.title)], noise));
    body.append(facts);
    $("viewer").replaceChildren(head, body);
  }
  function view(place) {
    open = place;
    fillViewer();
    if (!$("viewer").open) $("viewer").showModal();
    $("close").focus();
    $("viewer").scrollTop = 0;
  }
  function move(step) {
    const target = open + step;
    if (target >= 0 && target < shown.length) view(target);
  }
  $("viewer").addEventListener("keydown", (event) => {
    if (event.target.type === "range") return;
    if (event.key === "ArrowLeft") move(-1);
    else if (event.key === "ArrowRight") move(1);
    else return;
    event.preventDefault();
  });
  $("viewer").addEventListener("click", (event) => { if (event.target === $("viewer")) $("viewer").close(); });
  $("viewer").addEventListener("close", () => {
    const page = Math.floor(open / state.size);
    if (page !== state.page) goTo(page);
    focusTile(open - page * state.size);
    $("viewer").replaceChildren();
  });

  setUp();
  showControls();
  refresh();
})();
