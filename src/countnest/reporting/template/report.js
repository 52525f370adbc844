// The page's script: figures, tables, the counts of a gene, downloads. All data are in the page.
"use strict";
(() => {
  const PALETTE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9"];
  const CALLS = ["", "up", "down", "within"];
  const ROWS = 20;
  const NEAR = 14; // pixels from a click to the gene that is meant
  const SPREAD = 0.36; // width over which the samples of a group are spread
  const SMALLEST = 5e-324;

  // ---- data ----

  const TYPES = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f4: Float32Array, f8: Float64Array };
  const read = (id) => JSON.parse(document.getElementById(id).textContent);

  function unpacked(packed) {
    const text = atob(packed.data);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return new TYPES[packed.type](bytes.buffer);
  }

  // A column with its `values`, numbers or texts; `text` of a place is what tables in files have.
  function column(held) {
    const { name, kind } = held;
    if (kind === "text") return { name, kind, values: held.values, text: (i) => held.values[i] || "NA" };
    const values = unpacked(held.values);
    if (kind === "level") {
      const texts = Array.from(values, (code) => held.levels[code]);
      return { name, kind: "text", values: texts, text: (i) => texts[i] || "NA" };
    }
    if (kind === "flag") return { name, kind, values, text: (i) => (values[i] ? "True" : "False") };
    return { name, kind, values, text: (i) => (Number.isNaN(values[i]) ? "NA" : String(values[i])) };
  }

  const data = read("data");
  const genes = data.genes;
  const samples = data.samples;
  const annotation = data.annotation.map(column);
  const sheet = data.sheet.map(column);
  const symbols = annotation.find((each) => each.name === data.symbol);
  const counts = unpacked(data.counts);
  const factors = unpacked(data.factors);
  const named = (held) => Object.fromEntries(Object.entries(held).map(([name, packed]) => [name, unpacked(packed)]));
  const means = data.means && named(data.means);
  const questions = data.questions.map(question);
  const lowered = genes.map((gene, i) => (symbols ? `${gene}\n${symbols.values[i]}` : gene).toLowerCase());

  function question(held) {
    const rows = unpacked(held.rows);
    const rowOf = new Int32Array(genes.length).fill(-1);
    rows.forEach((gene, row) => (rowOf[gene] = row));
    const columns = held.columns.map(column);
    const named = (name) => columns.find((each) => each.name === name);
    return { ...held, rows, rowOf, columns, named, order: unpacked(held.order), call: unpacked(held.call) };
  }

  const factorOf = (gene, i) => factors[factors.length === samples.length ? i : gene * samples.length + i];
  const countOf = (gene, i) => counts[gene * samples.length + i];
  const symbolOf = (gene) => (symbols && symbols.values[gene] !== genes[gene] ? symbols.values[gene] : "");
  const nameOf = (gene) => (symbolOf(gene) ? `${symbolOf(gene)} (${genes[gene]})` : genes[gene]);

  function shown(value) {
    if (Number.isNaN(value)) return "NA";
    if (!Number.isFinite(value) || Number.isInteger(value)) return String(value);
    const size = Math.abs(value);
    return size < 1e-3 || size >= 1e6 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
  }

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else if (value !== null) made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  }

  // ---- figures ----

  const drawn = []; // the figures with points of genes
  const roots = []; // the views of all figures, with their places in the page
  let geneFigure = null;
  let chosen = -1;

  async function drawFigures() {
    for (const [target, item] of Object.entries(read("figures"))) {
      const place = document.getElementById(target);
      const views = await Bokeh.embed.embed_item(item, target);
      const view = (views.roots ?? views)[0];
      roots.push({ view, place });
      const model = (name) => view.model.document.get_model_by_name(name);
      if (target === "gene-figure") geneFigure = window.countnest.counts = { plot: view.model, model };
      else if (target === "dispersions") putDispersions(view.model, model);
      else if (/^(ma|volcano)-/.test(target)) putGenes(view.model, model, ...target.split("-"));
      await new Promise((done) => setTimeout(done));
    }
    if (chosen >= 0) choose(chosen);
    document.documentElement.dataset.ready = "true";
  }

  function putGenes(plot, model, kind, number) {
    const asked = questions[Number(number)];
    const change = asked.named("log2FoldChange").values;
    const isMa = kind === "ma";
    const other = isMa ? asked.named("baseMean").values : asked.named(asked.probability).values;
    const height = isMa ? change : other.map((p) => 0 - Math.log10(Math.max(p, SMALLEST)));
    const across = isMa ? other : change;
    const there = [];
    for (let row = 0; row < change.length; row++) {
      if (Number.isFinite(across[row]) && Number.isFinite(height[row]) && (!isMa || across[row] > 0)) there.push(row);
    }
    there.sort((a, b) => (asked.call[a] > 0) - (asked.call[b] > 0) || a - b); // those that changed are on top
    const x = isMa ? null : inside(plot.x_range);
    const y = inside(plot.y_range);
    const columns = { x: [], y: [], call: [], marker: [], name: [], true_x: [], true_y: [] };
    for (const row of there) {
      const atX = x ? clamped(across[row], x) : across[row];
      const atY = clamped(height[row], y);
      columns.x.push(atX);
      columns.y.push(atY);
      columns.call.push(asked.call[row]);
      columns.marker.push(markerOf(across[row] - atX, height[row] - atY));
      columns.name.push(nameOf(asked.rows[row]));
      columns.true_x.push(across[row]);
      columns.true_y.push(height[row]);
    }
    model("points").data = columns;
    keep(plot, model, there.map((row) => asked.rows[row]), columns, { x: isMa, y: false });
  }

  const clamped = (value, [low, high]) => Math.min(Math.max(value, low), high);
  const markerOf = (right, up) => (up > 0 ? "triangle" : up < 0 ? "inverted_triangle" : right ? "diamond" : "circle");

  function inside(range) {
    const margin = 0.02 * (range.end - range.start);
    return [range.start + margin, range.end - margin];
  }

  function putDispersions(plot, model) {
    const found = named(data.dispersions);
    let final = null;
    for (const name of ["dispGeneEst", "dispFit", "dispersion"]) {
      if (!(name in found)) continue;
      const there = genes.map((_, i) => i).filter((i) => found.baseMean[i] > 0 && found[name][i] > 0);
      const lowest = 1.02 * plot.y_range.start;
      const columns = { x: there.map((i) => found.baseMean[i]), y: there.map((i) => Math.max(found[name][i], lowest)) };
      model(name).data = columns;
      final = { there, columns };
    }
    if (final) keep(plot, model, final.there, final.columns, { x: true, y: true });
  }

  function keep(plot, model, members, { x, y }, log) {
    const at = new Map(members.map((gene, i) => [gene, i]));
    drawn.push({ plot, mark: model("mark"), members, at, x, y, log });
  }

  // Choose the gene nearest to a click on a figure.
  function tapped(event) {
    const figure = drawn.find((each) => each.plot.id === event.origin.id);
    if (!figure) return;
    const { plot, log } = figure;
    const scale = (range, size, isLog) => {
      const of = isLog ? Math.log10 : (value) => value;
      const ratio = size / (of(range.end) - of(range.start));
      return (value) => of(value) * ratio;
    };
    const toX = scale(plot.x_range, plot.inner_width, log.x);
    const toY = scale(plot.y_range, plot.inner_height, log.y);
    const here = [toX(event.x), toY(event.y)];
    let best = -1;
    let nearest = NEAR;
    for (let i = 0; i < figure.x.length; i++) {
      const distance = Math.hypot(toX(figure.x[i]) - here[0], toY(figure.y[i]) - here[1]);
      if (distance <= nearest) [best, nearest] = [i, distance];
    }
    if (best >= 0) choose(figure.members[best]);
  }

  // ---- the counts of a gene ----

  const panel = document.getElementById("gene");
  const groupChoice = document.getElementById("groups");
  const joinedChoice = document.getElementById("joined");

  function choose(gene) {
    chosen = gene;
    document.getElementById("gene-name").textContent = nameOf(gene);
    const others = annotation.filter((each) => each.name !== data.symbol).map((each) => each.text(gene));
    document.getElementById("gene-info").textContent = others.filter((text) => text !== "NA").join(", ");
    for (const { mark, at, x, y } of drawn) {
      const i = at.get(gene);
      mark.data = i === undefined ? { x: [], y: [] } : { x: [x[i]], y: [y[i]] };
    }
    drawCounts();
    showAnswers(gene);
    panel.classList.remove("closed");
    for (const row of document.querySelectorAll("tr[data-gene]")) {
      row.classList.toggle("chosen", Number(row.dataset.gene) === gene);
    }
  }

  function showAnswers(gene) {
    const names = ["log2FoldChange", "pvalue", "svalue", "padj"];
    const there = names.filter((name) => questions.some((asked) => asked.named(name)));
    const head = element("tr", {}, element("th", {}, "question"));
    head.append(...there.map((name) => element("th", { class: "number" }, name)));
    const rows = questions.map((asked) => {
      const row = asked.rowOf[gene];
      const value = (name) => (row < 0 || !asked.named(name) ? "" : shown(asked.named(name).values[row]));
      const cells = there.map((name) => element("td", { class: "number" }, value(name)));
      const className = row < 0 ? "" : CALLS[asked.call[row]];
      return element("tr", { class: className }, element("td", { title: asked.name }, asked.name), ...cells);
    });
    const table = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
    document.getElementById("gene-answers").replaceChildren(table);
  }

  function drawCounts() {
    if (!geneFigure || chosen < 0) return;
    const { plot, model } = geneFigure;
    const groups = data.groups[Number(groupChoice.value)];
    const value = samples.map((_, i) => countOf(chosen, i) / factorOf(chosen, i));
    const x = places(groups);
    const y = value.map((count) => count + 0.5);
    model("points").data = {
      x, y, sample: samples, count: value, raw: samples.map((_, i) => countOf(chosen, i)),
      colour: groups.codes.map((code) => PALETTE[code % PALETTE.length]),
    };
    const levels = groups.levels.map((_, code) => code);
    const centres = means && groupChoice.value === "0" ? modelMeans(groups) : plainMeans(groups, value);
    document.getElementById("gene-words").textContent = centres.words;
    model("lines").data = joinedLines(x, y);
    const short = shortened(groups.levels, Math.max(28, Math.floor((plot.inner_width || 400) / levels.length / 8) - 1));
    const axis = plot.below[0];
    axis.ticker.ticks = levels;
    axis.major_label_overrides = new Map(short.map((level, code) => [code, level]));
    const isTight = 8 * short.reduce((sum, level) => sum + level.length + 1, 0) > (plot.inner_width || 400);
    axis.major_label_orientation = isTight ? 0.8 : "horizontal";
    axis.axis_label = groups.name;
    [plot.x_range.start, plot.x_range.end] = [-0.6, levels.length - 0.4];
    const seen = [...y, ...centres.y];
    const [low, high] = [Math.min(...seen), Math.max(...seen)];
    const within = (end) => Math.min(Math.max(end, low / 2), high * 2); // intervals reach one doubling beyond
    const ends = { low: centres.low.map(within), high: centres.high.map(within) };
    model("means").data = { x: centres.x, y: centres.y, marker: centres.marker, size: centres.size, ...ends };
    const [least, most] = [Math.min(low, ...ends.low), Math.max(high, ...ends.high)];
    const margin = Math.max((most / least) ** 0.08, 1.1);
    [plot.y_range.start, plot.y_range.end] = [least / margin, most * margin];
  }

  // Names without the middle of those that are longer than `most`, unless two would be the same.
  function shortened(names, most) {
    const tail = Math.floor(most / 2);
    const cut = (name) => `${name.slice(0, most - 1 - tail)}\u2026${name.slice(-tail)}`;
    const short = names.map((name) => (name.length > most ? cut(name) : name));
    return new Set(short).size === new Set(names).size ? short : names;
  }

  // The means of the model of the chosen gene, with their intervals.
  function modelMeans(groups) {
    const place = (code) => chosen * groups.levels.length + code;
    const x = groups.levels.map((_, code) => code).filter((code) => Number.isFinite(means.mean[place(code)]));
    const y = x.map((code) => means.mean[place(code)] + 0.5);
    const end = (values) => x.map((code, i) => (Number.isFinite(values[place(code)]) ? values[place(code)] + 0.5 : y[i]));
    const words = "Normalized counts, on a logarithmic axis. Diamonds are the means of the model with 95 % intervals.";
    const [marker, size] = [x.map(() => "diamond"), x.map(() => 13)];
    return { x, y, low: end(means.low), high: end(means.high), marker, size, words };
  }

  function plainMeans(groups, value) {
    const x = groups.levels.map((_, code) => code);
    const y = x.map((code) => {
      const members = value.filter((_, i) => groups.codes[i] === code);
      return members.reduce((sum, each) => sum + each, 0) / members.length + 0.5;
    });
    const words = "Normalized counts, on a logarithmic axis. Dashes are the means of the samples of a group.";
    return { x, y, low: y, high: y, marker: x.map(() => "dash"), size: x.map(() => 34), words };
  }

  // The samples of a group side by side, in their order.
  function places(groups) {
    const size = groups.levels.map((_, code) => groups.codes.filter((each) => each === code).length);
    const seen = groups.levels.map(() => 0);
    return groups.codes.map((code) => {
      const step = size[code] > 1 ? seen[code]++ / (size[code] - 1) - 0.5 : 0;
      return code + SPREAD * step;
    });
  }

  function joinedLines(x, y) {
    const by = joinedChoice.value === "" ? null : data.groups[Number(joinedChoice.value)];
    const lines = { xs: [], ys: [] };
    for (let code = 0; by && code < by.levels.length; code++) {
      const members = x.map((_, i) => i).filter((i) => by.codes[i] === code);
      members.sort((a, b) => x[a] - x[b]);
      if (members.length < 2) continue;
      lines.xs.push(members.map((i) => x[i]));
      lines.ys.push(members.map((i) => y[i]));
    }
    return lines;
  }

  function offerGroups() {
    data.groups.forEach((groups, place) => {
      groupChoice.append(element("option", { value: place }, groups.name));
      if (groups.levels.length > 1) joinedChoice.append(element("option", { value: place }, groups.name));
    });
    joinedChoice.prepend(element("option", { value: "" }, "nothing"));
    const joined = data.groups.findIndex((groups) => groups.name === data.joined);
    groupChoice.value = "0";
    joinedChoice.value = joined < 0 ? "" : String(joined);
    groupChoice.addEventListener("change", drawCounts);
    joinedChoice.addEventListener("change", drawCounts);
    panel.querySelector(".close").addEventListener("click", () => panel.classList.add("closed"));
    document.addEventListener("keydown", (event) => event.key === "Escape" && panel.classList.add("closed"));
  }

  // ---- tables ----

  function makeTable(place) {
    const asked = questions[Number(place.dataset.question)];
    const front = [
      { name: "gene", kind: "text", of: (row) => genes[asked.rows[row]] },
      ...(symbols ? [{ name: symbols.name, kind: "text", of: (row) => symbols.values[asked.rows[row]] }] : []),
    ];
    const columns = [...front, ...asked.columns.map((each) => ({ ...each, of: (row) => each.values[row] }))];
    const state = { by: null, descending: false, query: "", page: 0 };
    const status = element("span", { role: "status" });
    const body = element("tbody");
    const move = (step) => () => { state.page += step; show(); };
    const [before, after] = [element("button", { type: "button", onclick: move(-1) }, "previous"),
      element("button", { type: "button", onclick: move(1) }, "next")];
    const search = element("input", { type: "search", spellcheck: "false", autocomplete: "off" });
    search.addEventListener("input", () => { Object.assign(state, { query: search.value, page: 0 }); show(); });
    const save = element("button", { type: "button", onclick: () => saveQuestion(asked) }, "download as CSV");
    const heads = columns.map((each) => {
      const sort = () => {
        state.descending = state.by === each ? !state.descending : false;
        Object.assign(state, { by: each, page: 0 });
        show();
      };
      const button = element("button", { type: "button", onclick: sort }, each.name);
      return element("th", { class: each.kind === "number" ? "number" : null, scope: "col" }, button);
    });
    place.append(
      element("div", { class: "bar" }, element("label", {}, "Search genes ", search), status, before, after, save),
      element("div", { class: "wide" }, element("table", {}, element("thead", {}, element("tr", {}, ...heads)), body)),
    );

    function show() {
      const rows = sorted(asked, state);
      const last = Math.max(Math.ceil(rows.length / ROWS) - 1, 0);
      state.page = Math.min(state.page, last);
      const first = state.page * ROWS;
      body.replaceChildren(...rows.slice(first, first + ROWS).map((row) => tableRow(asked, columns, row)));
      const end = Math.min(first + ROWS, rows.length);
      status.textContent = rows.length ? `${first + 1} to ${end} of ${rows.length.toLocaleString("en")}` : "no such gene";
      before.disabled = state.page === 0;
      after.disabled = state.page === last;
      heads.forEach((head, i) => {
        const direction = state.descending ? "descending" : "ascending";
        head.setAttribute("aria-sort", columns[i] === state.by ? direction : "none");
      });
    }
    show();
  }

  function tableRow(asked, columns, row) {
    const gene = asked.rows[row];
    const cells = columns.map(({ kind, of, name }) => {
      const value = of(row);
      if (name === "gene" && kind === "text") {
        return element("td", {}, element("button", { type: "button", title: value }, value));
      }
      if (kind === "number") return element("td", { class: "number", title: value }, shown(value));
      return element("td", {}, kind === "flag" ? (value ? "yes" : "") : value);
    });
    const className = `${CALLS[asked.call[row]]}${gene === chosen ? " chosen" : ""}`;
    return element("tr", { class: className, "data-gene": gene, onclick: () => choose(gene) }, ...cells);
  }

  // The rows that a search finds, in the order of the first genes or of a column; missing values are last.
  function sorted(asked, { by, descending, query }) {
    const wanted = query.trim().toLowerCase();
    const rows = Array.from(asked.order).filter((row) => !wanted || lowered[asked.rows[row]].includes(wanted));
    if (by === null) return rows;
    const sign = descending ? -1 : 1;
    const isMissing = (value) => value === "" || Number.isNaN(value);
    const compared = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
    return rows.sort((i, j) => {
      const [a, b] = [by.of(i), by.of(j)];
      return isMissing(a) || isMissing(b) ? isMissing(a) - isMissing(b) : sign * compared(a, b);
    });
  }

  // ---- finding a gene ----

  function find(text) {
    const wanted = text.trim().toLowerCase();
    const status = document.getElementById("found");
    status.textContent = "";
    if (!wanted) return;
    let place = lowered.findIndex((name) => name.split("\n").includes(wanted));
    if (place < 0) place = lowered.findIndex((name) => name.includes(wanted));
    if (place < 0) status.textContent = "no such gene";
    else choose(place);
  }

  // ---- downloads ----

  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const asLine = (cells) => cells.map(quoted).join(",");

  function save(name, text, type = "text/csv;charset=utf-8") {
    const address = URL.createObjectURL(new Blob([text], { type }));
    const link = element("a", { href: address, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }

  function questionCsv(asked) {
    const lines = [asLine(["gene", ...asked.columns.map((each) => each.name), ...annotation.map((each) => each.name)])];
    asked.rows.forEach((gene, row) => {
      const values = asked.columns.map((each) => each.text(row));
      lines.push(asLine([genes[gene], ...values, ...annotation.map((each) => each.text(gene))]));
    });
    return `${lines.join("\n")}\n`;
  }

  function countsCsv(of) {
    const lines = genes.map((gene, place) => asLine([gene, ...samples.map((_, i) => String(of(place, i)))]));
    return `${[asLine(["gene", ...samples]), ...lines].join("\n")}\n`;
  }

  function samplesCsv() {
    const isOfSamples = factors.length === samples.length;
    const lines = samples.map((name, i) => {
      const more = isOfSamples ? [String(factors[i])] : [];
      return asLine([name, ...sheet.map((each) => each.text(i)), ...more]);
    });
    const head = ["sample", ...sheet.map((each) => each.name), ...(isOfSamples ? ["sizeFactor"] : [])];
    return `${[asLine(head), ...lines].join("\n")}\n`;
  }

  const fileName = (text) => text.replace(/[^\p{L}\p{N}._-]+/gu, "_").replace(/^[_.]+|_+$/g, "").slice(0, 80) || "table";
  const saveQuestion = (asked) => save(`${fileName(asked.name)}.csv`, questionCsv(asked));

  function offerDownloads() {
    const offered = [
      ...questions.map((asked) => [asked.name, () => saveQuestion(asked)]),
      ["counts", () => save("counts.csv", countsCsv(countOf))],
      ["normalized counts",
        () => save("normalized_counts.csv", countsCsv((gene, i) => countOf(gene, i) / factorOf(gene, i)))],
      ["samples, with size factors", () => save("samples.csv", samplesCsv())],
    ];
    const items = offered.map(([name, onclick]) =>
      element("li", {}, element("button", { type: "button", onclick }, name)));
    document.getElementById("downloads").append(...items);
  }

  // ---- printing: canvases of the size of the screen do not fit a sheet, copies of them do ----

  function beforePrint() {
    afterPrint();
    for (const { view, place } of roots) {
      const copy = view.export("png", true).canvas;
      copy.removeAttribute("style");
      copy.className = "printed";
      place.append(copy);
    }
  }

  function afterPrint() {
    for (const copy of document.querySelectorAll(".printed")) copy.remove();
  }

  // `tapped` is called by the figures; the rest is for those who look into the page with a program.
  const csv = { questionCsv, countsCsv, samplesCsv };
  window.countnest = { tapped, choose, find, genes, questions, countOf, drawn, roots, csv };
  offerGroups();
  offerDownloads();
  document.querySelectorAll(".table").forEach(makeTable);
  const box = document.getElementById("find");
  box.addEventListener("change", () => find(box.value));
  window.addEventListener("beforeprint", beforePrint);
  window.addEventListener("afterprint", afterPrint);
  drawFigures();
})();
