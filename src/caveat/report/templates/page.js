// Controls of the page.

let waiting;
search.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(refresh, 120);
});
document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
document.getElementById("filters").addEventListener("reset", () => setTimeout(refresh));
document.querySelectorAll(".previous").forEach((button) => button.addEventListener("click", () => turnPage(-1)));
document.querySelectorAll(".next").forEach((button) => button.addEventListener("click", () => turnPage(1)));

// A click on a cell of a grid shows its answers.
document.querySelectorAll(".grid a").forEach((link) => link.addEventListener("click", () => {
  document.getElementById("filters").reset();
  for (const [column, value] of Object.entries({ ...link.dataset, purpose: "measure" })) {
    const index = packed.columns[column].values.indexOf(value);
    if (selects.has(column) && index >= 0) selects.get(column).value = String(index);
  }
}));

const theme = document.getElementById("theme");
const dark = matchMedia("(prefers-color-scheme: dark)");
function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : dark.matches;
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
makeFilters();
refresh();
