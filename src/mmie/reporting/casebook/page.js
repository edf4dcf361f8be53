const book = JSON.parse(document.getElementById("book").textContent);
const at = (id) => document.getElementById(id);
const wellFormed = (text) => text.toWellFormed?.() ?? text;
const numberOf = new Map(book.cases.map((sample, number) => [wellFormed(sample.id), number]));
const hrefs = book.cases.map((sample) => `#${encodeURIComponent(wellFormed(sample.id))}`);
const haystacks = [];
let shown = []; // numbers of the samples that pass the filters
let current = -1;

const verdicts = (sample) => sample.answers.map((answer) => answer?.verdict ?? "absent");
const kindsOf = (answer) => new Set((answer?.parts ?? []).map(([, , kind]) => kind).filter(Boolean));

const AGREEMENT = {
  "all right": (answered) => answered.every((verdict) => verdict === "right"),
  "some right, some not": (answered) => answered.includes("right") && answered.some((verdict) => verdict !== "right"),
  "none right": (answered) => !answered.includes("right"),
};
const OF_MODEL = {
  right: (answer) => answer?.verdict === "right",
  "not right": (answer) => Boolean(answer) && answer.verdict !== "right",
  "no answer": (answer) => !answer,
};

function agrees(sample, choice) {
  const answered = verdicts(sample).filter((verdict) => verdict !== "absent");
  return answered.length > 0 && AGREEMENT[choice](answered);
}

function fits(answer, choice) {
  return Object.hasOwn(OF_MODEL, choice) ? OF_MODEL[choice](answer) : kindsOf(answer).has(choice);
}

function haystack(number) {
  const { id, text, fields, gold, answers } = book.cases[number];
  const said = answers.flatMap((answer) => (answer ? [answer.raw, ...answer.parts.map(([fields]) => fields?.join(" ") ?? "")] : []));
  return (haystacks[number] ??= [id, text, ...Object.values(fields), ...gold.map((part) => part.join(" ")), ...said].join("\n").toLowerCase());
}

function choices(select, tests) {
  select.append(new Option("any", ""));
  for (const [name, test] of tests) {
    const count = book.cases.filter(test).length;
    if (count) select.append(new Option(visible(`${name} (${count})`), name));
  }
}

function makeFilters() {
  const relations = [...new Set(book.cases.flatMap((sample) => sample.labels))].sort();
  choices(at("relation"), relations.map((name) => [name, (sample) => sample.labels.includes(name)]));
  choices(at("kind"), book.kinds.map((name) => [name, (sample) => sample.answers.some((answer) => kindsOf(answer).has(name))]));
  choices(at("agreement"), Object.keys(AGREEMENT).map((name) => [name, (sample) => agrees(sample, name)]));
  book.models.forEach((name, model) => {
    const select = el("select");
    choices(select, [...Object.keys(OF_MODEL), ...book.kinds].map((choice) => [choice, (sample) => fits(sample.answers[model], choice)]));
    at("by-model").append(el("label", "", el("span", "", name), select));
  });
}

function makeList() {
  const rows = book.cases.map((sample, number) => {
    const signs = verdicts(sample).map((verdict, model) => sign(verdict, `${book.models[model]}: ${SIGNS[verdict][1]}`));
    const snippet = el("span", "snippet", ...Object.values(sample.fields).map((value) => el("b", "", `${value}: `)), sample.text);
    const link = el("a", "", el("span", "signs", ...signs), snippet, el("span", "id", sample.id));
    link.href = hrefs[number];
    return el("li", "", link);
  });
  at("list").append(...rows);
}

function filter() {
  const words = at("search").value.toLowerCase().trim();
  const [relation, kind, agreement] = ["relation", "kind", "agreement"].map((id) => at(id).value);
  const ofModels = [...at("by-model").querySelectorAll("select")].map((select) => select.value);
  const passes = (sample, number) =>
    (!relation || sample.labels.includes(relation)) &&
    (!kind || sample.answers.some((answer) => kindsOf(answer).has(kind))) &&
    (!agreement || agrees(sample, agreement)) &&
    ofModels.every((choice, model) => !choice || fits(sample.answers[model], choice)) &&
    (!words || haystack(number).includes(words));
  shown = [...book.cases.keys()].filter((number) => passes(book.cases[number], number));
  const visible = new Set(shown);
  [...at("list").children].forEach((row, number) => (row.hidden = !visible.has(number)));
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
  const place = shown.indexOf(number);
  const [back, on] = [step("← p", "previous sample (p)", -1), step("n →", "next sample (n)", 1)];
  back.disabled = place <= 0;
  on.disabled = place === shown.length - 1;
  const heading = el("h2", "", sample.id, " ", el("span", "quiet", `${place + 1} of ${shown.length}`));
  at("case").replaceChildren(el("nav", "", heading, back, on), ...renderCase(sample, book));
  at("case").scrollTop = 0;
  const link = at("list").children[number].firstChild;
  link.setAttribute("aria-current", "true");
  link.scrollIntoView({ block: "nearest" });
  document.title = visible(`${sample.id} – Case book`);
}

function step(text, title, by) {
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

/** Shows the sample that the address names, past the filters if need be; else the first one. */
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

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || at("help").open) return;
  if (event.key === "Escape" && event.target === at("search")) at("search").blur();
  if (event.target.matches?.("input, select")) return;
  const keys = {
    n: () => move(1), ArrowRight: () => move(1), p: () => move(-1), ArrowLeft: () => move(-1),
    "/": () => at("search").focus(), "?": () => at("help").showModal(),
  };
  if (!Object.hasOwn(keys, event.key)) return;
  event.preventDefault();
  keys[event.key]();
}

at("runs").textContent = visible(book.runs.join(" · "));
at("signs").append(...Object.entries(SIGNS).flatMap(([name, [, text]]) => [el("dt", "", sign(name)), el("dd", "", text)]));
at("more-filters").open = !matchMedia("(max-width: 800px)").matches;
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
