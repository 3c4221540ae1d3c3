const $ = (id) => document.getElementById(id);
const parse = (id) => JSON.parse($(id).textContent);
const data = parse("data");
const photos = parse("photos");
const UNDEFINED = 255, TOP = 254, HEADROOM = 4;
// A byte is proportional to the square root of the density; 255 is the top of the colour scale.
const levelOf = Float32Array.from({ length: TOP + 1 }, (_, byte) => 255 * HEADROOM * (byte / TOP) ** 2);

const bytesOf = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const palette = bytesOf(data.palette);

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
const className = (index) => data.classes[index];
const verdictOf = (isRight, pred) => element("span", { class: isRight ? "good" : "poor", text: `${isRight ? "✓" : "✗"} ${className(pred)}` });
function table(headings, rows) {
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": headings.join(", ") }, element("table", {},
    element("thead", {}, element("tr", {}, ...headings.map((text) => element("th", { scope: "col", text })))),
    element("tbody", {}, ...rows.map((cells) => element("tr", {}, ...cells.map((text, place) => element(place ? "td" : "th", { class: place ? "num" : null, scope: place ? null : "row", text })))))));
}
function fillSelect(id, options, keep = 0) {
  const select = $(id);
  const value = select.value;
  while (select.length > keep) select.remove(keep);
  for (const [key, title] of options) select.append(element("option", { value: key, text: title }));
  select.value = [...select.options].some((option) => option.value === value) ? value : select.options[0]?.value ?? "";
}

// Maps: bilinear between patch centres, constant outside the outer ones, on the fixed scale of the page.
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
/** A map `{id, grid, values, place, extent}` on a photo of these proportions; null where it is not defined. */
function drawMap(map, aspect, longSide) {
  const { grid: [numRows, numColumns], values } = map;
  const start = map.place * numRows * numColumns;
  if (values[start] === UNDEFINED) return null;
  const canvas = element("canvas", { "aria-hidden": "true", "data-map": map.id });
  canvas.width = Math.max(1, Math.round(aspect >= 1 ? longSide : longSide * aspect));
  canvas.height = Math.max(1, Math.round(aspect >= 1 ? longSide / aspect : longSide));
  const [top, bottom, left, right] = map.extent ?? [0, 1, 0, 1];
  const down = weights(numRows, canvas.height, top, bottom), across = weights(numColumns, canvas.width, left, right);
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  let offset = 0;
  for (const y of down) {
    const upper = start + y.left * numColumns, lower = start + y.right * numColumns;
    for (const x of across) {
      const above = levelOf[values[upper + x.left]] * (1 - x.part) + levelOf[values[upper + x.right]] * x.part;
      const below = levelOf[values[lower + x.left]] * (1 - x.part) + levelOf[values[lower + x.right]] * x.part;
      const density = Math.min(255, above * (1 - y.part) + below * y.part);
      const level = 3 * Math.round(Math.sqrt(255 * density));
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
/** Outlines `[{name, role, shapes}]` of regions on a photo: polygons of x and y in turn, as parts of its sides. */
function drawOutlines(regions) {
  const node = element("span", { class: "outlines", "aria-hidden": "true" });
  const svg = $("outline").content.firstElementChild.cloneNode();
  node.append(svg);
  for (const { name, role, shapes } of regions) {
    const corners = shapes.map((polygon) => Array.from({ length: polygon.length / 2 }, (_, place) => [polygon[2 * place], polygon[2 * place + 1]]));
    const outline = corners.map((points) => `M${points.map((point) => point.join(" ")).join("L")}Z`).join("");
    for (const look of ["halo", role]) {
      const path = document.createElementNS(svg.namespaceURI, "path");
      path.setAttribute("d", outline);
      path.setAttribute("class", look);
      svg.append(path);
    }
    const all = corners.flat();
    if (!all.length) continue;
    const label = element("span", { class: `outline-name ${role}`, text: name });
    label.style.left = `${100 * Math.min(0.9, Math.max(0, Math.min(...all.map((point) => point[0]))))}%`;
    // Names of what was annotated stand above it, those of what was discovered below: both may lie on the same.
    const edge = role === "discovered" ? Math.min(0.92, Math.max(...all.map((point) => point[1]))) : Math.max(0.08, Math.min(...all.map((point) => point[1])));
    label.style.top = `${100 * edge}%`;
    node.append(label);
  }
  return node;
}
/** The photo (base64 of a JPEG, or none) in a stage of the given proportions, under a map or none, and under outlines. */
function stage(photo, aspect, map, longSide, stageAspect, outlines = []) {
  const frame = element("span", { class: map ? "photo" : "photo plain" });
  frame.style.width = aspect >= stageAspect ? "100%" : `${(100 * aspect) / stageAspect}%`;
  frame.style.aspectRatio = String(aspect);
  if (photo) frame.append(element("img", { src: `data:image/jpeg;base64,${photo}`, alt: "", decoding: "async" }));
  else frame.append(element("span", { class: "no-photo", text: "photo not available" }));
  if (map) frame.append(drawMap(map, aspect, longSide) ?? element("span", { class: "no-map", text: "no map" }));
  if (outlines.length) frame.append(drawOutlines(outlines));
  const node = element("span", { class: "stage" }, frame);
  node.style.aspectRatio = String(stageAspect);
  return node;
}

/**
 * Sorting, filtering, paging, keyboard and viewer of the entries 0 to `count` - 1. `kind` says what they are:
 * count, noun; mapIds; filters (ids of its own selects), accepts() giving row => bool; scores() giving
 * [{key, title, values}]; sorts ({key: {title, up, down, compare}}), defaultSort, ascendingFirst(key);
 * name(row), tile(row, score) giving {label, kind, nodes}, details(row) giving nodes; mapTitles, what is known of each
 * map beside its name; describe(filter, value) giving the words of one of its own filters.
 */
function makeGallery(kind) {
  const count = kind.count;
  const hasMaps = kind.mapIds.length > 0;
  const FILTERS = [...kind.filters, "text", "min", "max"];
  const cleared = () => Object.fromEntries(FILTERS.map((name) => [name, ""]));
  const state = { map: 0, opacity: 80, sort: kind.defaultSort, descending: true, outlines: true, page: 0, size: 24, score: "", ...cleared() };
  const shortcuts = [];
  let shown = [];
  let open = -1;
  let currentScores = [];
  const scoreOf = (key) => currentScores.find((score) => score.key === key);

  // Filtering and sorting.
  function matching() {
    const needle = state.text.trim().toLowerCase();
    const range = scoreOf(state.score);
    const [least, most] = [state.min, state.max].map((value) => (value === "" ? null : Number(value)));
    const accepts = kind.accepts();
    const kept = [];
    for (let row = 0; row < count; row += 1) {
      if (!accepts(row)) continue;
      if (needle && !kind.name(row).toLowerCase().includes(needle)) continue;
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
    const own = kind.sorts[state.sort];
    if (own) return rows.sort((a, b) => sign * own.compare(a, b) || a - b);
    const values = scoreOf(state.sort).values;
    return rows.sort((a, b) => {
      const [left, right] = [values[a], values[b]];
      if (!isNumber(left) || !isNumber(right)) return isNumber(right) - isNumber(left) || a - b;
      return sign * (left - right) || a - b;
    });
  }

  // The grid.
  function tile(row, place) {
    const own = scoreOf(state.sort);
    const { label, kind: look, nodes } = kind.tile(row, own);
    const node = element("button", {
      type: "button", class: `tile ${look}`, "data-row": row, tabindex: place ? "-1" : "0",
      "aria-label": label, onclick: () => view(state.page * state.size + place),
    }, ...nodes);
    node.append(element("span", { class: "name muted", text: kind.name(row) }));
    return node;
  }
  const numPages = () => Math.max(1, Math.ceil(shown.length / state.size));
  function drawPage() {
    state.page = Math.min(Math.max(0, state.page), numPages() - 1);
    const rows = shown.slice(state.page * state.size, (state.page + 1) * state.size);
    const tiles = rows.map(tile);
    if (!rows.length) tiles.push(element("p", { class: "empty", text: `No ${kind.noun[0]} fits these filters.` }));
    $("grid").replaceChildren(...tiles);
    $("page").textContent = `Page ${state.page + 1} of ${numPages()}`;
    for (const id of ["first", "previous"]) $(id).disabled = state.page === 0;
    for (const id of ["next", "last"]) $(id).disabled = state.page >= numPages() - 1;
  }
  const summary = () => `${grouped(shown.length)} of ${grouped(count)} ${kind.noun[1]}`;
  // What is filtered by, a chip each; a chip takes its filter away.
  function describe(name) {
    if (name === "text") return `name contains “${state.text}”`;
    if (name === "min") return `${scoreOf(state.score)?.title} at least ${state.min}`;
    if (name === "max") return `${scoreOf(state.score)?.title} at most ${state.max}`;
    return kind.describe(name, state[name]);
  }
  function showActive() {
    const active = FILTERS.filter((name) => state[name] !== "");
    const held = $("chips").contains(document.activeElement);
    $("chips").replaceChildren(...active.map((name) => {
      const text = describe(name);
      return element("button", { type: "button", "data-filter": name, "aria-label": `Remove the filter: ${text}`, text: `${text} ✕`, onclick: () => apply({ [name]: "" }) });
    }));
    if (held) ($("chips").querySelector("button") ?? $("grid").querySelector(".tile"))?.focus();
    $("active").textContent = active.length ? `(${active.length} active)` : "";
    $("clear").hidden = !active.length;
    for (const { node, changes } of shortcuts) {
      const wanted = { ...cleared(), ...changes() };
      node.setAttribute("aria-pressed", String(Object.keys(wanted).every((name) => state[name] === wanted[name])));
    }
  }
  function refresh() {
    shown = sorted(matching());
    state.page = 0;
    drawPage();
    showActive();
    $("status").textContent = summary();
    const { up, down } = kind.sorts[state.sort] ?? { up: "smallest first", down: "largest first" };
    $("direction").textContent = state.descending ? `↓ ${down}` : `↑ ${up}`;
    $("direction").setAttribute("aria-pressed", String(!state.descending));
  }
  function goTo(page) {
    state.page = page;
    drawPage();
    $("status").textContent = `${summary()}, page ${state.page + 1} of ${numPages()}`;
  }

  // Controls.
  function fillScores() {
    currentScores = kind.scores();
    const listed = currentScores.map((score) => [score.key, score.title]);
    fillSelect("sort", [...Object.entries(kind.sorts).map(([key, sort]) => [key, sort.title]), ...listed]);
    fillSelect("score", listed);
    $("sort").value = state.sort;
    if ($("sort").value !== state.sort) { state.sort = kind.defaultSort; $("sort").value = state.sort; }
    state.score = $("score").value;
  }
  function showControls() {
    for (const name of [...FILTERS, "score", "sort"]) $(name).value = state[name];
    $("opacity").value = state.opacity;
    $("map").value = state.map;
  }
  function apply(changes) {
    const isOtherMap = "map" in changes && changes.map !== state.map;
    Object.assign(state, changes);
    // A map has scores of its own.
    if (isOtherMap) fillScores();
    showControls();
    refresh();
  }
  const sortBy = (key) => ({ sort: key, descending: !kind.ascendingFirst(key) });
  function setOpacity(value) {
    state.opacity = Math.min(100, Math.max(0, value));
    document.documentElement.style.setProperty("--map-opacity", String(state.opacity / 100));
    document.body.classList.toggle("has-map", state.opacity > 0 && hasMaps);
    $("opacity").value = state.opacity;
    $("opacity-value").textContent = `${state.opacity} %`;
  }
  function addShortcut(title, changes) {
    const node = element("button", { type: "button", "aria-pressed": "false", text: title, onclick: () => apply({ ...cleared(), ...changes() }) });
    shortcuts.push({ node, changes });
    $("shortcuts").append(node);
    showActive();
  }
  /** Opens the gallery on what a link of a table stands for. */
  function show(changes) {
    apply({ ...cleared(), ...changes });
    $("filters").open = true;
    $("gallery").scrollIntoView({ block: "start" });
    $("gallery-title").focus({ preventScroll: true });
  }
  function setUp() {
    fillSelect("map", kind.mapTitles.map((title, index) => [index, title]));
    for (const node of document.querySelectorAll(".wants-map")) node.hidden = !hasMaps;
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
    for (const node of document.querySelectorAll(".without-script")) node.remove();
    $("controls").hidden = false;
    $("pager").hidden = false;
    $("filters").open = window.innerWidth > 900;
    fillScores();
    setOpacity(state.opacity);
    apply(sortBy(kind.defaultSort));
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

  // The viewer: one entry, all its maps.
  function fillViewer() {
    const row = shown[open];
    const head = element("div", { class: "viewer-head" },
      element("h3", { id: "viewer-title", text: kind.name(row) }),
      element("span", { class: "muted", text: `${grouped(open + 1)} of ${grouped(shown.length)}` }),
      element("button", { type: "button", "aria-label": "Previous image (left arrow)", text: "‹", onclick: () => move(-1) }),
      element("button", { type: "button", "aria-label": "Next image (right arrow)", text: "›", onclick: () => move(1) }),
      element("button", { type: "button", id: "close", text: "Close ✕", onclick: () => $("viewer").close() }));
    head.querySelectorAll("button")[0].disabled = open === 0;
    head.querySelectorAll("button")[1].disabled = open === shown.length - 1;
    const [verdict, ...rest] = kind.details(row);
    const controls = element("p", { class: "bar-row" });
    const body = element("div", { class: "viewer-body" }, verdict, controls);
    if (hasMaps) {
      const slider = element("input", { type: "range", min: "0", max: "100", step: "5", oninput: (event) => setOpacity(Number(event.target.value)) });
      slider.value = state.opacity;
      controls.append(element("label", {}, "Opacity of the maps ", slider));
    }
    if (rest.some((node) => node.querySelector(".outlines"))) controls.append(outlineSwitch());
    body.append(...rest);
    $("viewer").replaceChildren(head, body);
  }
  function outlineSwitch() {
    const box = element("input", { type: "checkbox", id: "outlines", onchange: (event) => { state.outlines = event.target.checked; showOutlines(); } });
    box.checked = state.outlines;
    return element("label", {}, box, " Outlines of regions");
  }
  const showOutlines = () => document.body.classList.toggle("no-outlines", !state.outlines);
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
    if (["range", "checkbox"].includes(event.target.type)) return;
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

  return { state, setUp, show, sortBy, addShortcut, scoreOf };
}
