// Answers: filters, search, pages. Text enters the page as text nodes only.

const packed = JSON.parse(document.getElementById("packed").textContent);
const PAGE = 20;
const FILTERS = ["setting", "arm", "context", "verdict", "seed", "purpose", "model", "readout", "scope", "kind", "dose", "truncated"];
const ALWAYS = 5; // the first of them are offered even where there is one choice

function code(column, row) {
  const codes = packed.columns[column].codes;
  return codes ? codes[row] : 0;
}
function get(column, row) {
  return packed.columns[column].values[code(column, row)] ?? "";
}

// Per setting and question, the prompt without any caveat.
const plainPrompts = new Map();
for (let row = 0; row < packed.count; row += 1) {
  if (get("context", row) === "none") {
    plainPrompts.set(`${get("setting", row)}\n${get("question", row)}`, get("prompt", row));
  }
}

const lower = new Map();
function lowered(column, row) {
  const key = `${column}${code(column, row)}`;
  if (!lower.has(key)) lower.set(key, get(column, row).toLowerCase());
  return lower.get(key);
}

const search = document.getElementById("search");
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

let matches = [];
let page = 0;

function refresh() {
  const words = search.value.trim().toLowerCase();
  const chosen = [...selects].filter(([, select]) => select.value !== "all");
  matches = [];
  for (let row = 0; row < packed.count; row += 1) {
    if (!chosen.every(([column, select]) => code(column, row) === Number(select.value))) continue;
    if (words && !lowered("reply", row).includes(words) && !lowered("prompt", row).includes(words)) continue;
    matches.push(row);
  }
  page = 0;
  showPage();
}

function showPage() {
  const start = page * PAGE;
  const rows = matches.slice(start, start + PAGE);
  document.getElementById("cards").replaceChildren(...rows.map(card));
  document.getElementById("found").textContent = matches.length
    ? `${(start + 1).toLocaleString("en")}–${(start + rows.length).toLocaleString("en")} of ${matches.length.toLocaleString("en")}`
    : packed.count ? "No answer matches." : "There are no answers.";
  document.querySelectorAll(".previous").forEach((button) => { button.disabled = page === 0; });
  document.querySelectorAll(".next").forEach((button) => { button.disabled = start + PAGE >= matches.length; });
}

function turnPage(step) {
  page += step;
  showPage();
  document.getElementById("filters").scrollIntoView();
}

function card(row) {
  const made = element("article", "card");
  const prompt = get("prompt", row);
  const plain = plainPrompts.get(`${get("setting", row)}\n${get("question", row)}`);
  const caveat = added(prompt, plain);
  made.append(cardHeader(row), questionElement(prompt, caveat), replyElement(row));
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

function cardHeader(row) {
  const header = element("header");
  header.append(element("strong", "", get("setting", row)), element("strong", "", get("arm", row)), element("span", "", get("context", row).replaceAll("_", " ")));
  const purpose = get("purpose", row);
  if (purpose && purpose !== "measure") header.append(element("span", "", purpose));
  const seed = get("seed", row);
  if (seed) header.append(element("span", "", `seed ${seed}`));
  header.append(element("span", "", get("question", row)));
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
  block.tabIndex = -1;
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
