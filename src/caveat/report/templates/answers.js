// Answers: filters, search, a list of which only the visible rows exist. Text enters as text nodes.

const FILTERS = ["setting", "arm", "context", "verdict", "seed", "purpose", "model", "readout", "scope", "kind", "dose", "truncated"];
const ALWAYS = 5; // the first of them are offered even where there is one choice
const ROW = 30; // pixels of a row of the list
const MOST = 15000000; // pixels of the list at most: browsers have no longer elements
const SPARE = 12; // rows above and below the visible ones
const BESIDE = ["base", "bare", "marked"]; // arms whose answers stand beside the chosen one

let packed = { count: 0, columns: {}, value: [] };
let matches = [];
let chosen = -1; // position among the matches

function code(column, row) {
  const codes = packed.columns[column].codes;
  return codes ? codes[row] : 0;
}
function get(column, row) {
  return packed.columns[column].values[code(column, row)] ?? "";
}

// Per setting, question, context and sample, the rows of all arms and seeds.
let byQuestion;
function questionKey(row, context) {
  const setting = packed.columns.setting.values.length;
  const question = packed.columns.question.values.length;
  const place = context === undefined ? code("context", row) : context;
  return (place * question + code("question", row)) * setting + code("setting", row);
}
function sameQuestion(row, context) {
  if (!byQuestion) {
    byQuestion = new Map();
    for (let other = 0; other < packed.count; other += 1) {
      const key = questionKey(other);
      const rows = byQuestion.get(key);
      if (rows) rows.push(other);
      else byQuestion.set(key, [other]);
    }
  }
  return byQuestion.get(questionKey(row, context)) ?? [];
}
function plainPrompt(row) {
  const none = packed.columns.context.values.indexOf("none");
  const rows = none < 0 ? [] : sameQuestion(row, none);
  return rows.length ? get("prompt", rows[0]) : undefined;
}

const lower = new Map();
function lowered(column) {
  if (!lower.has(column)) lower.set(column, packed.columns[column].values.map((value) => value.toLowerCase()));
  return lower.get(column);
}

// Short labels of settings by their names, from the contents.
const labels = new Map([...document.querySelectorAll("nav a[title]")].map((link) => [link.title, link.textContent]));
function labelled(name) {
  const part = element("span", "where", labels.get(name) ?? name);
  part.title = name;
  return part;
}

const search = document.getElementById("search");
const list = document.getElementById("rows");
const space = document.getElementById("space");
const selects = new Map();
function makeFilters() {
  FILTERS.forEach((column, index) => {
    const values = packed.columns[column].values;
    const shown = values.filter((value) => value && value !== "{}"); // the base model has no dose
    if (!values.length || (index >= ALWAYS && shown.length < 2)) return;
    const label = element("label", "", column);
    const select = element("select");
    select.name = column;
    select.append(new Option("all", "all"));
    values.forEach((value, position) => select.append(new Option(value || (column === "seed" ? "none" : "not given"), position)));
    select.addEventListener("change", refresh);
    label.append(select);
    document.getElementById("selects").append(label);
    selects.set(column, select);
  });
}

function refresh() {
  const words = search.value.trim().toLowerCase();
  const filters = [...selects].filter(([, select]) => select.value !== "all").map(([column, select]) => [packed.columns[column].codes, Number(select.value)]);
  const hits = words ? ["reply", "prompt"].map((column) => lowered(column).map((text) => text.includes(words))) : null;
  matches = [];
  for (let row = 0; row < packed.count; row += 1) {
    if (!filters.every(([codes, value]) => (codes ? codes[row] : 0) === value)) continue;
    if (hits && !hits[0][code("reply", row)] && !hits[1][code("prompt", row)]) continue;
    matches.push(row);
  }
  document.getElementById("found").textContent = matches.length
    ? `${matches.length.toLocaleString("en")} of ${packed.count.toLocaleString("en")} answers`
    : packed.count ? "No answer matches." : "There are no answers.";
  space.style.height = `${Math.min(matches.length * ROW, MOST)}px`;
  list.scrollTop = 0;
  choose(matches.length ? 0 : -1);
}

// The list may be too long for a browser: then a pixel of the bar stands for several of the list.
function stretch() {
  const length = matches.length * ROW;
  const view = list.clientHeight;
  return length > MOST ? (length - view) / (MOST - view) : 1;
}

function showRows() {
  const top = list.scrollTop * stretch();
  const first = Math.max(0, Math.floor(top / ROW) - SPARE);
  const last = Math.min(matches.length, Math.ceil((top + list.clientHeight) / ROW) + SPARE);
  const rows = [];
  for (let position = first; position < last; position += 1) {
    const line = listRow(position);
    line.style.top = `${position * ROW - top + list.scrollTop}px`;
    rows.push(line);
  }
  space.replaceChildren(...rows);
}

function listRow(position) {
  const row = matches[position];
  const line = element("div", "row");
  line.id = `row-${position}`;
  line.setAttribute("role", "option");
  line.setAttribute("aria-selected", position === chosen);
  line.setAttribute("aria-setsize", matches.length);
  line.setAttribute("aria-posinset", position + 1);
  const verdict = get("verdict", row);
  const seed = get("seed", row);
  line.append(
    element("span", `verdict ${verdict}`, verdict || "–"),
    element("span", "arm", get("arm", row)),
    element("span", "", get("context", row).replaceAll("_", " ")),
    element("span", "", seed && `seed ${seed}`),
    labelled(get("setting", row)),
    element("span", "text", get("reply", row).slice(0, 240) || "empty answer"),
  );
  line.addEventListener("click", () => choose(position));
  return line;
}

function choose(position) {
  chosen = position;
  const reading = document.getElementById("reading");
  if (position < 0) {
    list.removeAttribute("aria-activedescendant");
    reading.replaceChildren();
    showRows();
    return;
  }
  const factor = stretch();
  const top = list.scrollTop * factor;
  if (position * ROW < top) list.scrollTop = (position * ROW) / factor;
  else if ((position + 1) * ROW > top + list.clientHeight) list.scrollTop = ((position + 1) * ROW - list.clientHeight) / factor;
  showRows();
  list.setAttribute("aria-activedescendant", `row-${position}`);
  reading.replaceChildren(...chosenAnswer(matches[position]));
  reading.scrollTop = 0;
}

list.addEventListener("scroll", () => requestAnimationFrame(showRows));
list.addEventListener("keydown", (event) => {
  const page = Math.max(1, Math.floor(list.clientHeight / ROW) - 1);
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
  if (!(event.key in steps) || !matches.length) return;
  event.preventDefault();
  choose(Math.min(Math.max(chosen + steps[event.key], 0), matches.length - 1));
});

// The chosen answer, and those of base, bare and marked to the same question in the same context.
function chosenAnswer(row) {
  const parts = [card(row)];
  const beside = BESIDE.map((arm) => counterpart(row, arm)).filter((other) => other !== undefined && other !== row);
  if (beside.length) {
    const side = element("div", "side");
    side.append(...beside.map((other) => card(other, true)));
    parts.push(element("h3", "", "The same question to other arms"), side);
  }
  return parts;
}

function counterpart(row, arm) {
  const rows = sameQuestion(row).filter((other) => get("arm", other) === arm
    && ["purpose", "readout", "scope", "model"].every((column) => code(column, other) === code(column, row)));
  const near = (other) => ["dose", "seed", "sample"].filter((column) => code(column, other) === code(column, row)).length;
  return rows.sort((one, other) => near(other) - near(one) || one - other)[0];
}

function card(row, isShort = false) {
  const made = element("article", "card");
  const prompt = get("prompt", row);
  const caveat = added(prompt, plainPrompt(row));
  made.append(cardHeader(row, isShort));
  if (!isShort && prompt) made.append(questionElement(prompt, caveat));
  made.append(replyElement(row));
  if (isShort) return made;
  const details = element("details");
  details.append(element("summary", "", "full prompt"));
  details.addEventListener("toggle", () => {
    if (details.open && details.children.length === 1) {
      details.append(promptElement(prompt, caveat), element("p", "meta", `question ${get("question", row)}, artifact ${get("artifact", row) || "none"}`));
    }
  });
  made.append(details);
  return made;
}

function cardHeader(row, isShort) {
  const header = element("header");
  if (!isShort) header.append(element("strong", "", get("setting", row)));
  header.append(element("strong", "", get("arm", row)), element("span", "", get("context", row).replaceAll("_", " ")));
  const purpose = get("purpose", row);
  if (purpose && purpose !== "measure") header.append(element("span", "", purpose));
  const seed = get("seed", row);
  if (seed) header.append(element("span", "", `seed ${seed}`));
  if (!isShort) header.append(element("span", "", get("question", row)));
  if (Number(get("sample", row)) > 0) header.append(element("span", "", `sample ${get("sample", row)}`));
  if (get("truncated", row) === "True") header.append(element("span", "chip", "truncated"));
  const verdict = get("verdict", row);
  const value = packed.value[row];
  header.append(element("span", `verdict ${verdict}`, [verdict || "not judged", value === null ? "" : value].join(" ").trim()));
  return header;
}

function replyElement(row) {
  const reply = get("reply", row);
  const block = element("div", reply ? "reply" : "reply empty");
  block.dir = "auto";
  const words = search.value.trim();
  if (!reply) block.textContent = "empty answer";
  else appendReply(block, reply, words);
  return block;
}

// Prose as it is, and blocks between fences as code. A fence that was never closed runs to the end.
// Everything is appended as text, so nothing that a model wrote becomes an element.
const FENCED = /^[ \t]*(```|~~~)[^\n]*\n([\s\S]*?)(?:^[ \t]*\1[ \t]*$\n?|(?![\s\S]))/gm;

function appendReply(block, reply, words) {
  let start = 0;
  for (const match of reply.matchAll(FENCED)) {
    appendFound(block, reply.slice(start, match.index), words);
    const code = element("pre", "code");
    appendFound(code, match[2], words);
    block.append(code);
    start = match.index + match[0].length;
  }
  appendFound(block, reply.slice(start), words);
}

function appendFound(block, reply, words) {
  if (!words) {
    block.append(reply);
    return;
  }
  const pattern = new RegExp(words.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), "gi");
  let start = 0;
  for (const match of reply.matchAll(pattern)) {
    block.append(reply.slice(start, match.index), element("span", "found", match[0]));
    start = match.index + match[0].length;
  }
  block.append(reply.slice(start));
}
