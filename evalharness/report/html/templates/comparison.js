const count = data.ids.length;
for (const map of data.maps) for (const layer of map.layers) if (layer) layer.values = bytesOf(layer.bytes);
const isBroken = (row) => data.broken[row] === 1;
const runName = (row) => data.runs[1 + data.pairs[row]];
const photoOf = (row) => photos[data.photos[row]];
const change = (before, now) => now.map((value, row) => (isNumber(value) && isNumber(before[row]) ? value - before[row] : null));
const trueChange = change(data.before_true, data.now_true);
const confidenceChange = change(data.before_confidence, data.now_confidence);
const sureness = data.now_confidence.map((value, row) => Math.min(value, data.before_confidence[row]));
const absolute = (values) => values.map((value) => (isNumber(value) ? Math.abs(value) : null));
const largestChange = absolute(trueChange);
const signed = (value) => (isNumber(value) ? `${value > 0 ? "+" : ""}${value.toFixed(2)}` : "—");

function scores() {
  const found = [
    { key: "change", title: "change of the true class’s probability", values: largestChange },
    { key: "true_change", title: "true class’s probability gained", values: trueChange },
    { key: "confidence_change", title: "confidence gained", values: confidenceChange },
    { key: "sureness", title: "confidence of the less sure run", values: sureness },
    { key: "confidence", title: "confidence of the run", values: data.now_confidence },
    { key: "reference_confidence", title: "confidence of the reference", values: data.before_confidence },
  ];
  const map = data.maps[gallery.state.map];
  if (map?.similarity) found.push({ key: "similarity", title: `similarity of ${map.id}`, values: map.similarity });
  return found;
}
const SORTS = {
  order: { title: "order of the dataset", up: "forward", down: "backward", compare: (a, b) => data.positions[a] - data.positions[b] || a - b },
  name: { title: "name", up: "forward", down: "backward", compare: (a, b) => (data.ids[a] < data.ids[b] ? -1 : Number(data.ids[a] > data.ids[b])) },
};
function accepts() {
  const { pair, kind, label, pred } = gallery.state;
  return (row) => (pair === "" || data.pairs[row] === Number(pair))
    && (kind === "" || (kind === "broken") === isBroken(row))
    && (label === "" || data.labels[row] === Number(label))
    // The answer of the one run that is wrong: what a broken image became, and what a fixed one was.
    && (pred === "" || (isBroken(row) ? data.now_preds : data.before_preds)[row] === Number(pred));
}

function describe(name, value) {
  if (name === "pair") return `run ${data.runs[1 + Number(value)]}`;
  if (name === "kind") return value === "broken" ? "✗ broken" : "✓ fixed";
  return `${name === "label" ? "true class" : "mistaken for"} ${className(value)}`;
}
/** What is known of the map in each run, once where it is the same in all. */
function mapTitle(map) {
  const [first, ...others] = map.short_verdicts;
  return `${map.id} ${others.every((text) => text === first) ? first : map.short_verdicts.map((text, run) => `${data.runs[run]}: ${text}`).join(", ")}`;
}

// One image under two runs: side 0 is the reference.
function mapOf(row, index, side) {
  const map = data.maps[index];
  const layer = map.layers[side ? 1 + data.pairs[row] : 0];
  const place = side ? data.places[row] : row;
  return layer ? { id: map.id, grid: layer.grid, values: layer.values, place, extent: layer.extents?.[place] } : null;
}
const sideRight = (row, side) => isBroken(row) === (side === 0);
const sidePred = (row, side) => (side ? data.now_preds : data.before_preds)[row];
const sideConfidence = (row, side) => (side ? data.now_confidence : data.before_confidence)[row];
const sideName = (row, side) => (side ? runName(row) : data.runs[0]);
function half(row, side) {
  const index = gallery.state.map;
  return element("span", { class: "half" },
    stage(photoOf(row), data.aspects[row], data.maps.length ? mapOf(row, index, side) : null, 176, 4 / 3),
    element("span", { class: "run-name muted", text: sideName(row, side) }),
    element("span", {}, verdictOf(sideRight(row, side), sidePred(row, side)), ` ${shownNumber(sideConfidence(row, side))}`));
}
const kindNode = (row) => element("span", { class: isBroken(row) ? "poor" : "good", text: isBroken(row) ? "✗ broken" : "✓ fixed" });
const spoken = (row, side) => `${sideName(row, side)} says ${className(sidePred(row, side))}, confidence ${shownNumber(sideConfidence(row, side))}`;
function tile(row, score) {
  const similarity = data.maps[gallery.state.map]?.similarity?.[row];
  const nodes = [
    element("span", {}, kindNode(row), element("span", { class: "muted", text: ` true: ${className(data.labels[row])}` })),
    element("span", { class: "halves" }, half(row, 0), half(row, 1)),
  ];
  const facts = [`probability of ${className(data.labels[row])} ${signed(trueChange[row])}`];
  if (isNumber(similarity)) facts.push(`maps alike ${shownNumber(similarity)}`);
  if (score && !["change", "true_change", "similarity"].includes(score.key)) facts.push(`${score.title} ${shownNumber(score.values[row])}`);
  nodes.push(element("span", { class: "score muted", text: facts.join(" · ") }));
  return {
    kind: isBroken(row) ? "is-wrong" : "is-right",
    label: `${isBroken(row) ? "broken" : "fixed"}: true class ${className(data.labels[row])}; ${spoken(row, 0)}; ${spoken(row, 1)}; ${data.ids[row]}`,
    nodes,
  };
}
function panel(row, index, side) {
  const map = side < 0 ? null : mapOf(row, index, side);
  const caption = element("figcaption", { text: side < 0 ? "photo" : sideName(row, side) });
  if (side >= 0 && !map) caption.append(" (no such map)");
  if (map) caption.append(element("span", { class: "muted", text: ` ${data.maps[index].short_verdicts[side ? 1 + data.pairs[row] : 0]}` }));
  return element("figure", { class: side < 0 ? "plain-panel" : null }, stage(photoOf(row), data.aspects[row], map, 320, Math.max(0.75, data.aspects[row])), caption);
}
function details(row) {
  const verdict = element("p", { class: "verdict" }, kindNode(row), `: the true class is ${className(data.labels[row])}. ${sideName(row, 0)}: `,
    verdictOf(sideRight(row, 0), sidePred(row, 0)), ` ${shownNumber(sideConfidence(row, 0))}. ${sideName(row, 1)}: `,
    verdictOf(sideRight(row, 1), sidePred(row, 1)), ` ${shownNumber(sideConfidence(row, 1))}.`);
  const chosen = gallery.state.map;
  const order = [...data.maps.keys()].sort((a, b) => Number(b === chosen) - Number(a === chosen) || a - b);
  const trios = order.map((index) => {
    const alike = data.maps[index].similarity?.[row];
    return element("section", {},
      element("h4", {}, element("code", { text: data.maps[index].id }), isNumber(alike) ? ` rank correlation of the two maps ${shownNumber(alike)}` : ""),
      element("div", { class: "trio" }, panel(row, index, -1), panel(row, index, 0), panel(row, index, 1)));
  });
  if (!trios.length) trios.push(element("div", { class: "trio" }, panel(row, 0, -1)));
  const facts = element("div", { class: "facts" }, table(["Run", "Answer", "Confidence", "Probability of the true class"], [0, 1].map((side) => [
    sideName(row, side), className(sidePred(row, side)), shownNumber(sideConfidence(row, side), 3), shownNumber((side ? data.now_true : data.before_true)[row], 3)])));
  return [verdict, ...trios, facts];
}

const gallery = makeGallery({
  count, noun: ["flip", "flips"], mapIds: data.maps.map((map) => map.id), mapTitles: data.maps.map(mapTitle), describe,
  filters: ["pair", "kind", "label", "pred"], accepts,
  scores, sorts: SORTS, defaultSort: "change",
  // Small is what one looks for first in these: the maps that became most unlike.
  ascendingFirst: (key) => ["similarity", "order", "name"].includes(key),
  name: (row) => data.ids[row], tile, details,
});

const classOptions = data.classes.map((name, index) => [index, name]);
fillSelect("pair", data.runs.slice(1).map((name, index) => [index, name]), 1);
fillSelect("label", classOptions, 1);
fillSelect("pred", classOptions, 1);
for (const node of document.querySelectorAll(".wants-pairs")) node.hidden = data.runs.length < 3;
gallery.setUp();
gallery.addShortcut("All", () => gallery.sortBy("change"));
gallery.addShortcut("✗ Broken", () => ({ kind: "broken", ...gallery.sortBy("change") }));
gallery.addShortcut("✓ Fixed", () => ({ kind: "fixed", ...gallery.sortBy("change") }));
gallery.addShortcut("Both were sure", () => gallery.sortBy("sureness"));
if (gallery.scoreOf("similarity")) gallery.addShortcut("Maps most unlike", () => gallery.sortBy("similarity"));
for (const link of document.querySelectorAll("[data-kind]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    gallery.show({ pair: link.dataset.pair, kind: link.dataset.kind, label: link.dataset.label ?? "", ...gallery.sortBy("change") });
  });
}
