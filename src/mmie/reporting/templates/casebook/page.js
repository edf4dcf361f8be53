
/* The list of samples, its filters, and the keys. */

const book = JSON.parse(document.getElementById("book").textContent);
const at = (id) => document.getElementById(id);
const wellFormed = (text) => text.toWellFormed?.() ?? text;
const numberOf = new Map(book.cases.map((sample, number) => [wellFormed(sample.id), number]));
const hrefs = book.cases.map((sample) => `#${encodeURIComponent(wellFormed(sample.id))}`);
const haystacks = []; // number of a sample → the text that the search looks through
let shown = []; // numbers of the samples that pass the filters
let current = -1;

const AGREEMENT = {
  "all right": (verdicts) => verdicts.every((verdict) => verdict === "right"),
  "some right, some not": (verdicts) =>
    verdicts.includes("right") && verdicts.some((verdict) => verdict !== "right"),
  "none right": (verdicts) => !verdicts.includes("right"),
};
const OF_SYSTEM = {
  right: (answer) => answer?.verdict === "right",
  "not right": (answer) => Boolean(answer) && answer.verdict !== "right",
  "no answer": (answer) => !answer,
};

function verdictsOf(sample) {
  return sample.answers.map((answer) => answer?.verdict ?? "absent");
}

function hasKind(answer, kind) {
  return (answer?.parts ?? []).some((part) => part[2] === kind);
}

function anyHasKind(sample, kind) {
  return sample.answers.some((answer) => hasKind(answer, kind));
}

function agrees(sample, choice) {
  const answered = verdictsOf(sample).filter((verdict) => verdict !== "absent");
  return answered.length > 0 && AGREEMENT[choice](answered);
}

function fits(answer, choice) {
  return Object.hasOwn(OF_SYSTEM, choice) ? OF_SYSTEM[choice](answer) : hasKind(answer, choice);
}

function haystack(number) {
  haystacks[number] ??= searchable(book.cases[number]);
  return haystacks[number];
}

function searchable({ id, text, extra, gold, answers }) {
  const texts = [id, text, ...Object.values(extra), ...gold.map((fields) => fields.join(" "))];
  for (const answer of answers.filter(Boolean)) {
    texts.push(answer.raw, ...answer.parts.map(([said]) => said?.join(" ") ?? ""));
  }
  return texts.join("\n").toLowerCase();
}

/** Fills a filter with the choices that some sample fits, each with the number of samples. */
function choices(select, names, test) {
  select.append(new Option("any", ""));
  for (const name of names) {
    const count = book.cases.filter((sample) => test(sample, name)).length;
    if (count) select.append(new Option(visible(`${name} (${count})`), name));
  }
}

function makeFilters() {
  const labels = [...new Set(book.cases.flatMap((sample) => sample.labels))].sort();
  choices(at("label"), labels, (sample, name) => sample.labels.includes(name));
  choices(at("kind"), book.kinds, anyHasKind);
  choices(at("agreement"), Object.keys(AGREEMENT), agrees);
  book.systems.forEach((name, system) => {
    const select = el("select");
    const tests = [...Object.keys(OF_SYSTEM), ...book.kinds];
    choices(select, tests, (sample, test) => fits(sample.answers[system], test));
    at("by-system").append(el("label", "", el("span", "", name), select));
  });
}

function makeList() {
  at("list").append(...book.cases.map(listRow));
}

function listRow(sample, number) {
  const signs = verdictsOf(sample).map((verdict, system) =>
    sign(verdict, `${book.systems[system]}: ${SIGNS[verdict][1]}`),
  );
  const about = Object.values(sample.extra).join(", ");
  const snippet = el("span", "snippet", about && el("b", "", `${about}: `), sample.text);
  const id = el("span", "id", sample.id);
  const link = el("a", "", el("span", "signs", ...signs), snippet, id);
  link.href = hrefs[number];
  return el("li", "", link);
}

function filter() {
  const words = at("search").value.toLowerCase().trim();
  const [wanted, kind, agreement] = ["label", "kind", "agreement"].map((id) => at(id).value);
  const ofSystems = [...at("by-system").querySelectorAll("select")].map((select) => select.value);
  const passes = (sample, number) =>
    (!wanted || sample.labels.includes(wanted)) &&
    (!kind || anyHasKind(sample, kind)) &&
    (!agreement || agrees(sample, agreement)) &&
    ofSystems.every((choice, system) => !choice || fits(sample.answers[system], choice)) &&
    (!words || haystack(number).includes(words));
  shown = [...book.cases.keys()].filter((number) => passes(book.cases[number], number));
  const passing = new Set(shown);
  [...at("list").children].forEach((row, number) => (row.hidden = !passing.has(number)));
  at("count").textContent = `${shown.length} of ${book.cases.length} samples`;
}

function show(number) {
  at("list").querySelector("[aria-current]")?.removeAttribute("aria-current");
  current = number;
  if (number < 0) {
    at("case").replaceChildren(el("p", "quiet", "No sample passes the filters."));
    return;
  }
  const sample = book.cases[number];
  const head = navigation(sample, shown.indexOf(number));
  at("case").replaceChildren(head, ...renderCase(sample, book));
  at("case").scrollTop = 0;
  const link = at("list").children[number].firstChild;
  link.setAttribute("aria-current", "true");
  link.scrollIntoView({ block: "nearest" });
  document.title = visible(`${sample.id} – Case book`);
}

function navigation(sample, place) {
  const back = moveButton("← p", "previous sample (p)", -1);
  const on = moveButton("n →", "next sample (n)", 1);
  back.disabled = place <= 0;
  on.disabled = place === shown.length - 1;
  const position = el("span", "quiet", `${place + 1} of ${shown.length}`);
  return el("nav", "", el("h2", "", sample.id, " ", position), back, on);
}

function moveButton(text, title, by) {
  const button = titled(el("button", "", text), title);
  button.type = "button";
  button.addEventListener("click", () => move(by));
  return button;
}

function move(by) {
  const next = shown[shown.indexOf(current) + by];
  if (next === undefined) return;
  history.replaceState(null, "", hrefs[next]);
  show(next);
}

function refilter() {
  filter();
  show(shown.includes(current) ? current : (shown[0] ?? -1));
  if (current >= 0) history.replaceState(null, "", hrefs[current]);
}

/** Shows the sample that the address names, and resets filters that hide it; else the first. */
function follow() {
  let id = location.hash.slice(1);
  try {
    id = decodeURIComponent(id);
  } catch {
    // a stray % stands for itself
  }
  const number = numberOf.get(id) ?? shown[0] ?? -1;
  if (number >= 0 && !shown.includes(number)) {
    at("filters").reset();
    return;
  }
  show(number);
}

const KEYS = {
  n: () => move(1),
  ArrowRight: () => move(1),
  p: () => move(-1),
  ArrowLeft: () => move(-1),
  "/": () => at("search").focus(),
  "?": () => at("help").showModal(),
};

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || at("help").open) return;
  if (event.key === "Escape" && event.target === at("search")) at("search").blur();
  if (event.target.matches?.("input, select") || !Object.hasOwn(KEYS, event.key)) return;
  event.preventDefault();
  KEYS[event.key]();
}

function explainSigns() {
  for (const [name, [, text]] of Object.entries(SIGNS)) {
    at("signs").append(el("dt", "", sign(name)), el("dd", "", text));
  }
}

at("runs").textContent = visible(book.runs.join(" · "));
at("more-filters").open = !matchMedia("(max-width: 800px)").matches;
explainSigns();
makeFilters();
makeList();
filter();
follow();
at("filters").addEventListener("input", refilter);
at("filters").addEventListener("submit", (event) => event.preventDefault());
at("filters").addEventListener("reset", () => setTimeout(() => { filter(); follow(); }));
at("help-opens").addEventListener("click", () => at("help").showModal());
addEventListener("hashchange", follow);
addEventListener("keydown", pressed);
