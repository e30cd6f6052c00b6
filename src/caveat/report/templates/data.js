"use strict";
// What the page carries: JSON, compressed with gzip, in base 64.

async function unpack(id) {
  const text = atob(document.getElementById(id).textContent);
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) bytes[index] = text.charCodeAt(index);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

function save(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// A plot as a file of its own: colours of the page become values, links into the page go.
function svgFile(plot) {
  const svg = plot.querySelector("svg");
  const copy = svg.cloneNode(true);
  const from = [...svg.querySelectorAll("*")];
  [...copy.querySelectorAll("*")].forEach((element, index) => {
    for (const name of ["fill", "stroke"]) {
      if ((element.getAttribute(name) ?? "").startsWith("var(")) {
        element.setAttribute(name, getComputedStyle(from[index])[name]);
      }
    }
    if (element.tagName === "a") element.removeAttribute("href");
  });
  const paper = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  paper.setAttribute("width", "100%");
  paper.setAttribute("height", "100%");
  paper.setAttribute("fill", getComputedStyle(document.body).backgroundColor);
  copy.insertBefore(paper, copy.firstChild);
  return new XMLSerializer().serializeToString(copy);
}

function fileName(name, ending) {
  const study = document.querySelector("h1").textContent.replace(/[^\w.-]+/g, "-");
  return `${study}-${name}.${ending}`;
}

let plotValues;
document.querySelectorAll("[data-svg]").forEach((button) => button.addEventListener("click", () => {
  save(fileName(button.dataset.svg, "svg"), "image/svg+xml", svgFile(document.getElementById(`plot-${button.dataset.svg}`)));
}));
document.querySelectorAll("[data-csv]").forEach((button) => button.addEventListener("click", async () => {
  plotValues ??= await unpack("plot-values");
  save(fileName(button.dataset.csv, "csv"), "text/csv", plotValues[button.dataset.csv]);
}));
document.querySelectorAll(".files").forEach((files) => { files.hidden = false; });
