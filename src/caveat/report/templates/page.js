// Controls of the page.

let waiting;
search.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(refresh, 120);
});
document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
document.getElementById("filters").addEventListener("reset", () => setTimeout(refresh));

// A click on a cell of a grid shows its answers.
document.querySelectorAll(".grid a, .to-answers").forEach((link) => link.addEventListener("click", () => {
  document.getElementById("filters").reset();
  for (const [column, value] of Object.entries({ ...link.dataset, purpose: "measure" })) {
    const index = packed.columns[column]?.values.indexOf(value) ?? -1;
    if (selects.has(column) && index >= 0) selects.get(column).value = String(index);
  }
}));

// Long tables: rows are found by their words.
document.querySelectorAll(".find").forEach((find) => {
  find.hidden = false;
  const rows = [...find.nextElementSibling.querySelectorAll("tbody tr")];
  const input = find.querySelector("input");
  input.addEventListener("input", () => {
    const words = input.value.trim().toLowerCase();
    let count = 0;
    for (const row of rows) {
      row.hidden = Boolean(words) && !row.textContent.toLowerCase().includes(words);
      count += !row.hidden;
    }
    find.querySelector("[role=status]").textContent = words ? `${count} of ${rows.length} rows` : "";
  });
});

// A link to something inside of folded details unfolds them.
function unfold() {
  let element = location.hash ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
  for (; element; element = element.parentElement) if (element.tagName === "DETAILS") element.open = true;
}
window.addEventListener("hashchange", unfold);

const theme = document.getElementById("theme");
const dark = matchMedia("(prefers-color-scheme: dark)");
function isDark() {
  const choice = document.documentElement.dataset.theme;
  return choice ? choice === "dark" : dark.matches;
}
function nameTheme() {
  theme.textContent = isDark() ? "light" : "dark";
  theme.setAttribute("aria-label", `${theme.textContent} colours`);
}
theme.hidden = false;
theme.addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  nameTheme();
});
dark.addEventListener("change", nameTheme);
nameTheme();
if (matchMedia("(max-width: 1099px)").matches) document.getElementById("contents").open = false;
unfold();

// The answers are read once the first screen is there.
async function showAnswers() {
  if (!("DecompressionStream" in window)) {
    document.getElementById("found").textContent = "Reading answers needs a browser of 2023 or later.";
    return;
  }
  packed = await unpack("packed");
  document.querySelector(".reader").hidden = !packed.count;
  makeFilters();
  refresh();
}
document.getElementById("found").textContent = "Answers are being read …";
requestAnimationFrame(() => setTimeout(showAnswers));
