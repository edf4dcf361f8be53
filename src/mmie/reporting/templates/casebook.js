"use strict";
/* Shows the samples that have every chosen tag and hold the searched text. */
const samples = [...document.querySelectorAll("details.case")];
const chosen = () => [...document.querySelectorAll("select")].map((select) => select.value);

function filter() {
  const wanted = chosen().filter(Boolean);
  const words = document.querySelector("input").value.trim().toLowerCase();
  for (const sample of samples) {
    const tags = sample.dataset.tags.split(" ");
    const fits = wanted.every((tag) => tags.includes(tag));
    sample.hidden = !fits || !sample.textContent.toLowerCase().includes(words);
  }
  const shown = samples.filter((sample) => !sample.hidden).length;
  document.querySelector("#count").textContent = `${shown} of ${samples.length} samples`;
}

document.addEventListener("input", filter);
filter();
