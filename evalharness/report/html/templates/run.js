const count = data.ids.length;
const QUADRANTS = ["relies", "looks only", "uses unseen", "clean"];
// Beside the quadrants: images in which anything could be judged, and the others.
const JUDGED = "judged", UNJUDGED = "undetermined";
for (const map of data.maps) map.values = bytesOf(map.bytes);
const isRight = (row) => data.labels[row] === data.preds[row];

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
  const map = data.maps[gallery.state.map];
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
const badness = (row) => (isRight(row) ? -data.confidence[row] : 1 + data.confidence[row]);
const SORTS = {
  worst: { title: "worst mistakes first", up: "best first", down: "worst first", compare: (a, b) => badness(a) - badness(b) },
  order: { title: "order of the dataset", up: "forward", down: "backward", compare: (a, b) => a - b },
  name: { title: "name", up: "forward", down: "backward", compare: (a, b) => (data.ids[a] < data.ids[b] ? -1 : 1) },
};

// Filters.
function quadrantsOf(category) {
  const mapId = data.maps[gallery.state.map]?.id;
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
function accepts() {
  const { verdict, label, pred, region, quadrant, concept } = gallery.state;
  const holders = concept === "" ? null : new Set(data.concepts.find((found) => found.number === Number(concept)).rows);
  const quadrants = region || quadrant ? quadrantsOf(region) : null;
  return (row) => {
    if (verdict && (verdict === "right") !== isRight(row)) return false;
    if (label !== "" && data.labels[row] !== Number(label)) return false;
    if (pred !== "" && data.preds[row] !== Number(pred)) return false;
    if (quadrants && !quadrants.has(row)) return false;
    if (holders && !holders.has(row)) return false;
    if (!quadrant) return true;
    const own = quadrants.get(row);
    return quadrant === JUDGED ? QUADRANTS.some((name) => own.has(name)) : own.has(quadrant);
  };
}

const regionOf = (key) => data.regions.find((region) => key === `${region.role}:${region.category}`);
function numJudged(region) {
  const own = region.maps[data.maps[gallery.state.map]?.id];
  return own ? own.quadrant.filter((name) => name !== UNJUDGED).length : 0;
}
function describe(name, value) {
  if (name === "verdict") return value === "wrong" ? "✗ wrong" : "✓ right";
  if (name === "label") return `true class ${className(value)}`;
  if (name === "pred") return `predicted ${className(value)}`;
  if (name === "concept") return data.concepts.find((found) => found.number === Number(value)).name;
  if (name === "quadrant") return value === JUDGED ? "judged" : value === UNJUDGED ? "not judged" : `judged: ${value}`;
  const region = regionOf(value);
  return `holds ${region.category} (${grouped(region.rows.length)} annotated, ${grouped(numJudged(region))} judged)`;
}

// One image.
const mapOf = (row, index) => ({ ...data.maps[index], place: row, extent: data.extents?.[row] });
function tile(row, score) {
  const trueClass = className(data.labels[row]);
  const nodes = [
    stage(photos[row], data.aspects[row], data.maps.length ? mapOf(row, gallery.state.map) : null, 176, 4 / 3),
    element("span", {}, verdictOf(isRight(row), data.preds[row]), ` ${shownNumber(data.confidence[row])}`),
  ];
  if (!isRight(row)) nodes.push(element("span", { class: "score", text: `true: ${trueClass}` }));
  if (score && score.key !== "confidence") {
    nodes.push(element("span", { class: "score muted", text: `${score.title}: ${shownNumber(score.values[row])}` }));
  }
  return {
    kind: isRight(row) ? "is-right" : "is-wrong",
    label: `${isRight(row) ? "right" : "wrong"}: ${className(data.preds[row])}, confidence ${shownNumber(data.confidence[row])}${isRight(row) ? "" : `, true class ${trueClass}`}; ${data.ids[row]}`,
    nodes,
  };
}
function outlinesOf(row) {
  const found = [];
  for (const { name, role, rows, shapes } of data.outlines) {
    const place = rows.indexOf(row);
    if (place >= 0) found.push({ name, role, shapes: shapes[place] });
  }
  return found;
}
function panel(row, index) {
  const caption = element("figcaption", {});
  if (index < 0) caption.append("photo");
  else caption.append(element("strong", { text: data.maps[index].id }), ` ${data.maps[index].verdict}`, element("span", { class: "muted", text: ` · hottest patch ${shownNumber(data.maps[index].peak[row], 1)}` }));
  return element("figure", {}, stage(photos[row], data.aspects[row], index < 0 ? null : mapOf(row, index), 320, Math.max(0.75, data.aspects[row]), outlinesOf(row)), caption);
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
      if (own) found.push([`${region.category} (${region.role})`, map.id, percent(own.share[place]), percent(region.area[place]), shownNumber(own.lift[place], 1), own.quadrant[place] === UNJUDGED ? "not judged" : own.quadrant[place] ?? "—", shownNumber(region.delta_prob[place]), region.flip[place] ? "yes" : "no"]);
    }
  }
  return found;
}
function details(row) {
  const verdict = element("p", { class: "verdict" },
    verdictOf(isRight(row), data.preds[row]),
    ` with confidence ${shownNumber(data.confidence[row])}`,
    isRight(row) ? "" : `; the true class is ${className(data.labels[row])} (${shownNumber(data.true_prob[row])})`);
  const panels = element("div", { class: "panels" }, ...[-1, ...data.maps.keys()].map((index) => panel(row, index)));
  const facts = element("div", { class: "facts" }, table(["Class", "Probability"], data.top[row].map((index, place) => [`${className(index)}${index === data.labels[row] ? " (true)" : ""}`, shownNumber(data.top_probs[row][place], 3)])));
  const regions = regionRows(row);
  if (regions.length) facts.append(table(["Region", "Map", "Share", "Area", "Lift", "Quadrant", "Probability lost", "Flips"], regions));
  const noise = noiseRows(row);
  if (noise.length) facts.append(table(["Map", ...data.maps[0].scores.map((score) => score.title)], noise));
  return [verdict, panels, facts];
}

const gallery = makeGallery({
  count, noun: ["image", "images"], mapIds: data.maps.map((map) => map.id),
  mapTitles: data.maps.map((map) => `${map.id} ${map.short_verdict}`), describe,
  filters: ["verdict", "label", "pred", "region", "quadrant", "concept"], accepts,
  scores, sorts: SORTS, defaultSort: "worst",
  // Small is what one looks for first in these.
  ascendingFirst: (key) => ["true_prob", "noise:noise_rank", "order", "name"].includes(key),
  name: (row) => data.ids[row], tile, details,
});

function addShortcuts() {
  const { addShortcut, sortBy } = gallery;
  addShortcut("All", () => sortBy("worst"));
  addShortcut("✗ Wrong", () => ({ verdict: "wrong", ...sortBy("worst") }));
  if (gallery.scoreOf("noise:noise_rank")) addShortcut("Noisiest maps", () => sortBy("noise:noise_rank"));
  const distractors = data.regions.filter((region) => region.role === "distractor");
  if (!distractors.length || !data.maps.length) return;
  if (distractors.length > 1) addShortcut("Most on a distractor", () => sortBy("distractor"));
  const onRegion = (name) => ({ region: `distractor:${name}`, ...sortBy(`share:distractor:${name}`) });
  for (const { category } of distractors.slice(0, 5)) addShortcut(`Most on ${category}`, () => onRegion(category));
  for (const region of distractors.slice(0, 5)) {
    if (Object.values(region.maps).some((own) => own.quadrant.includes("relies"))) {
      addShortcut(`Relies on ${region.category}`, () => ({ ...onRegion(region.category), quadrant: "relies" }));
    }
  }
}

const classOptions = data.classes.map((name, index) => [index, name]);
fillSelect("label", classOptions, 1);
fillSelect("pred", classOptions, 1);
fillSelect("region", data.regions.map((region) => [`${region.role}:${region.category}`, `${region.category} (${region.role}): ${grouped(region.rows.length)} annotated`]), 1);
fillSelect("quadrant", [...QUADRANTS.map((name) => [name, name]), [JUDGED, "any of these (judged)"], [UNJUDGED, "not judged"]], 1);
fillSelect("concept", data.concepts.map((found) => [found.number, found.name]), 1);
for (const node of document.querySelectorAll(".wants-region")) node.hidden = !data.regions.length;
for (const node of document.querySelectorAll(".wants-concept")) node.hidden = !data.concepts.length;
gallery.setUp();
addShortcuts();
for (const link of document.querySelectorAll("[data-concept]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    gallery.show({ concept: link.dataset.concept, ...gallery.sortBy("worst") });
  });
}
for (const link of document.querySelectorAll("[data-region]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const map = data.maps.findIndex((found) => found.id === link.dataset.map);
    gallery.show({ map: Math.max(0, map), region: link.dataset.region, quadrant: link.dataset.quadrant ?? "", ...gallery.sortBy("worst") });
  });
}
for (const link of document.querySelectorAll("[data-true]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    gallery.show({ label: link.dataset.true, pred: link.dataset.pred ?? "", ...gallery.sortBy("confidence") });
  });
}
