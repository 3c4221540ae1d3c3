"use strict";
(() => {
  const { texts, classes, max_bytes: maxBytes, language } = JSON.parse(document.querySelector("#data").textContent);
  const at = (selector) => document.querySelector(selector);
  const MARKS = { believe: "✓", check: "!", unknown: "?" };
  const LOOK_EVERY_MS = 1000;
  const MAX_SHOWN = 50;

  let verdicts = []; // newest first
  let shown = null;
  let newest = 0;
  let numWaiting = 0;
  let stream = null;

  const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const percent = (value) => (value < 0.0005 ? "< 0.1 %" : `${(100 * value).toFixed(value < 0.0995 ? 1 : 0)} %`);
  const belief = (verdict) => `${MARKS[verdict.belief]} ${texts.beliefs[verdict.belief]}`;

  const ask = async (address, options = {}) => {
    const answer = await fetch(address, { ...options, headers: { "Accept-Language": language, ...options.headers } });
    if (answer.status === 401) location.reload();
    return answer;
  };

  // What is shown

  const showState = (text, isBad = false) => {
    at("#state").textContent = text;
    at("#state").classList.toggle("bad", isBad);
  };

  const showVerdict = (kind, first, second, third, reasons = []) => {
    at("#verdict").dataset.belief = kind;
    at("#belief").textContent = first;
    at("#class").textContent = second;
    at("#detail").textContent = third;
    at("#reasons").replaceChildren(...reasons);
  };

  const showPicture = (selector, address, text) => {
    const image = at(selector);
    image.closest("figure").hidden = !address;
    if (address) {
      image.src = address;
      image.alt = text;
    } else {
      image.removeAttribute("src");
    }
  };

  const listItem = (text) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  };

  const detailOf = (verdict) => {
    if (verdict.class === null) return texts.no_class;
    const parts = [`${texts.confidence} ${verdict.confidence.toFixed(2)}`];
    if (verdict.risk !== null) parts.push(`${texts.risk} ${percent(verdict.risk)}`);
    return parts.join(" · ");
  };

  const saidOf = ({ correction }) => {
    if (!correction) return "";
    if (correction.class !== null) return filled(texts.said_class, { class: correction.class });
    return correction.is_right ? texts.said_right : texts.said_wrong;
  };

  const show = (verdict) => {
    shown = verdict;
    showVerdict(verdict.belief, belief(verdict), verdict.class ?? "", detailOf(verdict), [
      ...verdict.reasons.map((text) => listItem(text)),
      ...verdict.warnings.map((text) => listItem(text)),
    ]);
    showPicture("#photo", verdict.photo, verdict.image);
    showPicture("#map", verdict.map, texts.map_of);
    at("#photo-name").textContent = `${verdict.id}: ${verdict.image}`;
    at("#correction").hidden = false;
    at("#right").disabled = at("#wrong").disabled = verdict.class === null;
    showSaid();
    showLast();
  };

  const showSaid = () => {
    const correction = shown.correction;
    at("#said").textContent = saidOf(shown);
    at("#right").setAttribute("aria-pressed", String(correction?.is_right === true));
    at("#wrong").setAttribute("aria-pressed", String(correction?.is_right === false));
    for (const button of document.querySelectorAll("#classes button")) {
      button.setAttribute("aria-pressed", String(correction?.class === button.dataset.class));
    }
    if (at("#more")) at("#more").value = classes.indexOf(correction?.class) >= 9 ? correction.class : "";
  };

  const showRefusal = (name, text) => {
    showVerdict("refused", texts.not_judged, "", `${name}: ${text}`);
    shown = null;
    showPicture("#photo", null);
    showPicture("#map", null);
    at("#photo-name").textContent = name;
    at("#correction").hidden = true;
    showLast();
  };

  const showLast = () => {
    at("#last").replaceChildren(
      ...verdicts.map((verdict) => {
        const item = document.createElement("li");
        const button = document.createElement("button");
        const parts = [
          ["strong", verdict.class ?? texts.beliefs.unknown],
          ["span", `${MARKS[verdict.belief]} ${timeOf(verdict.time)}`],
          ["span", [`${verdict.id}: ${verdict.image}`, saidOf(verdict)].filter(Boolean).join(" — "), "name"],
        ];
        for (const [tag, text, kind = ""] of parts) {
          const part = document.createElement(tag);
          part.textContent = text;
          part.className = kind;
          button.append(part);
        }
        button.type = "button";
        button.dataset.belief = verdict.belief;
        button.setAttribute("aria-label", `${belief(verdict)}, ${parts[0][1]}, ${parts[2][1]}`);
        button.setAttribute("aria-current", String(verdict === shown));
        button.addEventListener("click", () => show(verdict));
        item.append(button);
        return item;
      }),
    );
  };

  const timeOf = (text) => new Date(text).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });

  const showSummary = ({ counts, trend, said }) => {
    for (const [name, number] of Object.entries(counts)) at(`#num-${name}`).textContent = number.toLocaleString(language);
    at("#checked").textContent = said.num_believed
      ? filled(texts.checked, { wrong: said.num_believed_wrong, num: said.num_believed })
      : "";
    drawTrend(trend);
  };

  // A bar for ten minutes: the part of its verdicts that are to be checked, and unknown.
  const drawTrend = ({ first, bin_s: binS, num_bins: numBins, bins }) => {
    const [left, width, height, floor] = [38, 434, 82, 94];
    const parts = [
      ["line", { x1: left, x2: left + width, y1: floor, y2: floor, class: "axis" }],
      ["line", { x1: left, x2: left + width, y1: floor - height / 2, y2: floor - height / 2, class: "axis" }],
      ["text", { x: left - 4, y: floor, "text-anchor": "end" }, "0 %"],
      ["text", { x: left - 4, y: floor - height / 2 + 4, "text-anchor": "end" }, "50"],
      ["text", { x: left - 4, y: floor - height + 8, "text-anchor": "end" }, "100"],
      ["text", { x: left, y: 114 }, timeOf(1000 * first)],
      ["text", { x: left + width, y: 114, "text-anchor": "end" }, timeOf(1000 * (first + numBins * binS))],
    ];
    for (const [start, [numBelieve, numCheck, numUnknown]] of Object.entries(bins)) {
      const num = numBelieve + numCheck + numUnknown;
      const x = left + ((start - first) / binS) * (width / numBins) + 1;
      let top = floor;
      for (const [kind, part] of [["check", numCheck / num], ["unknown", numUnknown / num]]) {
        top -= part * height;
        parts.push(["rect", { x, y: top, width: width / numBins - 2, height: part * height, class: kind }]);
      }
      parts.push(["rect", { x, y: floor, width: width / numBins - 2, height: 3, class: "all" }]);
    }
    const drawn = parts.map(([name, attributes, text = ""]) => {
      const part = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) part.setAttribute(key, value);
      part.textContent = text;
      return part;
    });
    at("#trend").replaceChildren(at("#trend-title"), ...drawn);
  };

  // What the bench tells

  const take = (verdict) => {
    const known = verdicts.find(({ id }) => id === verdict.id);
    if (known) return known;
    verdicts = [verdict, ...verdicts].sort((one, other) => other.id - one.id).slice(0, MAX_SHOWN);
    newest = Math.max(newest, verdict.id);
    return verdict;
  };

  const look = async () => {
    try {
      const answer = await ask(`/verdicts?after=${newest}`);
      if (!answer.ok) throw new Error(answer.status);
      const found = await answer.json();
      for (const verdict of found.verdicts) take(verdict);
      if (found.verdicts.length) show(verdicts[0]);
      showSummary(found.summary);
      at("#problems").replaceChildren(...found.problems.map(({ image, error }) => listItem(`${image}: ${error}`)));
      if (!numWaiting) showState(texts.ready);
    } catch {
      showState(texts.away, true);
    }
  };

  const lookOn = async () => {
    if (!numWaiting) await look();
    setTimeout(lookOn, LOOK_EVERY_MS);
  };

  // What a person does

  const judge = async (file, name, source) => {
    if (file.size > maxBytes) throw new Error(filled(texts.too_large, { megabytes: maxBytes / 1e6 }));
    const address = `/inspect?${new URLSearchParams({ name, source })}`;
    for (;;) {
      const answer = await ask(address, { method: "POST", body: file });
      const found = await answer.json();
      if (answer.ok) return found;
      if (answer.status !== 503) throw new Error(found.error);
      await new Promise((done) => setTimeout(done, 1000 * Number(answer.headers.get("Retry-After") ?? 1)));
    }
  };

  let turn = Promise.resolve();
  const send = (file, name, source) => {
    numWaiting += 1;
    turn = turn.then(async () => {
      showState(filled(texts.judging, { num: numWaiting }));
      if (numWaiting === 1) showVerdict("busy", texts.busy, "", name);
      try {
        show(take(await judge(file, name, source)));
      } catch (error) {
        showRefusal(name, error instanceof TypeError ? texts.away : error.message);
      }
      numWaiting -= 1;
      if (!numWaiting) await look();
    });
  };

  const sendAll = (files) => {
    for (const file of files) send(file, file.name, "upload");
  };

  const correct = async (values) => {
    if (!shown || ("is_right" in values && shown.class === null)) return;
    const verdict = shown;
    try {
      const answer = await ask(`/verdicts/${verdict.id}/correction`, { method: "POST", body: JSON.stringify(values) });
      const found = await answer.json();
      if (!answer.ok) throw new Error(found.error);
      verdict.correction = found;
      if (verdict === shown) showSaid();
      showLast();
    } catch (error) {
      at("#said").textContent = error instanceof TypeError ? texts.away : error.message;
    }
    await look();
  };

  const switchCamera = async () => {
    if (stream) {
      for (const track of stream.getTracks()) track.stop();
      stream = null;
    } else {
      try {
        if (!navigator.mediaDevices) throw new Error(texts.camera_insecure);
        const wanted = { width: { ideal: 1920 }, height: { ideal: 1080 }, facingMode: "environment" };
        stream = await navigator.mediaDevices.getUserMedia({ video: wanted });
      } catch (error) {
        const told = { NotAllowedError: texts.camera_denied, NotFoundError: texts.camera_missing };
        showState(told[error.name] ?? error.message, true);
      }
    }
    at("#video").srcObject = stream;
    at("#camera").hidden = !stream;
    at("#take").disabled = !stream;
    at("#camera-button").setAttribute("aria-pressed", String(Boolean(stream)));
  };

  const takePhoto = () => {
    const video = at("#video");
    if (!stream || !video.videoWidth) return;
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
    canvas.getContext("2d").drawImage(video, 0, 0);
    const name = `${texts.camera_name}-${new Date().toISOString().slice(0, 19).replaceAll(":", "-")}.jpg`;
    canvas.toBlob((photo) => send(photo, name, "camera"), "image/jpeg", 0.95);
  };

  const step = (by) => {
    const place = verdicts.indexOf(shown) + by;
    if (verdicts[place]) show(verdicts[place]);
  };

  const KEYS = {
    " ": takePhoto,
    c: switchCamera,
    o: () => at("#file").click(),
    r: () => correct({ is_right: true }),
    w: () => correct({ is_right: false }),
    l: () => at("#language").click(),
    "?": () => at("#help").showModal(),
    ArrowLeft: () => step(1),
    ArrowRight: () => step(-1),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || at("#help").open) return;
    const target = event.target;
    if (target.matches("select, input") || (target.matches("button, a, label") && [" ", "Enter"].includes(event.key))) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const name = /^[1-9]$/.test(key) ? classes[key - 1] : undefined;
    const action = name === undefined ? KEYS[key] : () => correct({ class: name });
    if (!action) return;
    event.preventDefault();
    action();
  });

  // A button that was clicked must not take the space bar, which takes photos.
  document.addEventListener("click", (event) => {
    if (event.detail && event.target.closest("button")) event.target.closest("button").blur();
  });

  for (const kind of ["dragenter", "dragover"]) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      document.body.classList.add("over");
    });
  }
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("over");
    sendAll(event.dataTransfer.files);
  });
  at("#file").addEventListener("change", () => {
    sendAll([...at("#file").files]);
    at("#file").value = "";
  });
  at("#drop").addEventListener("keydown", (event) => {
    if ([" ", "Enter"].includes(event.key)) {
      event.preventDefault();
      at("#file").click();
    }
  });
  document.addEventListener("paste", (event) => sendAll(event.clipboardData.files));
  at("#camera-button").addEventListener("click", switchCamera);
  at("#take").addEventListener("click", takePhoto);
  at("#right").addEventListener("click", () => correct({ is_right: true }));
  at("#wrong").addEventListener("click", () => correct({ is_right: false }));
  at("#classes").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) correct({ class: button.dataset.class });
  });
  at("#more")?.addEventListener("change", (event) => event.target.value && correct({ class: event.target.value }));
  at("#help-button").addEventListener("click", () => at("#help").showModal());

  lookOn();
})();
