"use strict";

const SIGNS = {
  right: ["✓", "right"],
  partly: ["◐", "partly right"],
  wrong: ["✗", "wrong"],
  missed: ["○", "missed"],
  "invalid answer": ["⚠\uFE0E", "invalid answer"],
  truncated: ["✂\uFE0E", "cut at the length limit, so invalid"],
  absent: ["–", "no answer to this sample"],
};
const UNREADABLE = ["invalid answer", "truncated"];
const LARGE = 240, SMALL = 140; // sides of whole pictures and of parts on the screen, in pixels

/** The text with the marks that would reorder what stands around it shown as their code points. */
function visible(text) {
  const code = (mark) => `\\u${mark.charCodeAt(0).toString(16)}`;
  return text.replace(/[\u202a-\u202e\u2066-\u2069]/g, code);
}

function el(tag, className = "", ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children.map((child) => (typeof child === "string" ? visible(child) : child)));
  return made;
}

function titled(element, title) {
  element.title = title;
  return element;
}

function sign(name, title = SIGNS[name][1]) {
  const made = titled(el("span", `sign ${name.split(" ")[0]}`, SIGNS[name][0]), title);
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", title);
  return made;
}

function renderCase(sample, book) {
  const facts = el("div", "facts", tweet(sample, book.models), el("h3", "", "gold"), gold(sample));
  const pictures = el("div", "pictures", ...sample.pictures.map((picture) => figure(picture, book.pictures)));
  const cards = sample.answers.map((answer, model) => card(answer, book.models[model]));
  return [el("div", "sample", pictures, facts), el("div", "cards", ...cards)];
}

function figure(shown, pictures) {
  const picture = pictures[shown.number];
  const caption = el("figcaption", "", shown.part ? "the object" : shown.boxes.length ? "the picture, its object framed" : "the picture");
  if (!picture?.source) {
    const reason = picture ? `not there: ${picture.missing}` : "blank";
    return el("figure", "", el("div", `frame placeholder${shown.part ? " part" : ""}`, reason), caption);
  }
  const image = el("img");
  image.src = picture.source;
  image.alt = caption.textContent;
  const scale = (shown.part ? SMALL : LARGE) / Math.max(picture.width, picture.height);
  const frame = el("div", "frame", image, ...shown.boxes.map((box) => outline(box, picture)));
  frame.style.width = `${Math.round(picture.width * scale)}px`;
  frame.style.aspectRatio = `${picture.width} / ${picture.height}`;
  return el("figure", "", frame, caption);
}

function outline([left, upper, right, lower], { width, height }) {
  const made = el("div", "box");
  const [from, to] = [Math.max(left, 0) / width, Math.min(right, width) / width];
  const [top, bottom] = [Math.max(upper, 0) / height, Math.min(lower, height) / height];
  const percent = { left: from, width: to - from, top, height: bottom - top };
  for (const [edge, share] of Object.entries(percent)) made.style[edge] = `${100 * share}%`;
  return made;
}

function tweet(sample, models) {
  const names = new Map();
  sample.answers.forEach((answer, model) => {
    const said = new Set((answer?.parts ?? []).flatMap(([fields]) => entities(fields).map(([name]) => name)));
    for (const name of said) names.set(name, { gold: false, by: [...(names.get(name)?.by ?? []), models[model]] });
  });
  for (const [name, type] of sample.gold.flatMap(entities)) names.set(name, { gold: true, type });
  for (const [key, value] of Object.entries(sample.fields)) names.set(value, { gold: true, type: key });
  return el("p", "tweet", ...marked(sample.text, names));
}

function entities(fields) {
  return fields?.length === 5 ? [fields.slice(0, 2), fields.slice(2, 4)] : [];
}

/** The text as nodes with the names in it marked: longest first, whole words only, none inside another. */
function marked(text, names) {
  const found = [];
  for (const name of [...names.keys()].sort((one, other) => other.length - one.length)) {
    for (let start = text.indexOf(name); name && start >= 0; start = text.indexOf(name, start + 1)) {
      const end = start + name.length;
      const free = found.every((other) => end <= other.start || start >= other.end);
      if (free && !isWord(text, start - 1, start) && !isWord(text, end - 1, end)) found.push({ start, end, name });
    }
  }
  const nodes = [];
  let done = 0;
  for (const { start, end, name } of found.sort((one, other) => one.start - other.start)) {
    nodes.push(text.slice(done, start), mention(name, names.get(name)));
    done = end;
  }
  return [...nodes, text.slice(done)];
}

/** Whether a word goes on from one of these characters to the other. */
function isWord(text, before, after) {
  return [text[before], text[after]].every((character) => /[\p{L}\p{N}]/u.test(character ?? ""));
}

function mention(name, { gold, type, by }) {
  if (gold) return titled(el("span", "name", name, "\u00a0", el("span", "type", type)), "gold entity");
  return titled(el("span", "name only-said", name, "\u00a0", el("span", "type", "?")), `no gold entity; named by ${by.join(", ")}`);
}

function gold(sample) {
  const rows = sample.gold.map((fields) => el("li", "", label(fields)));
  for (const [key, value] of Object.entries(sample.fields)) rows.push(el("li", "quiet", `${key} asked about: ${value}`));
  return rows.length ? el("ul", "answers", ...rows) : el("p", "quiet", "nothing");
}

/** A quintuple or a label; what differs from the other one is underlined. */
function label(fields, other = null) {
  if (fields.length !== 5) {
    const levels = compared(fields[0].split("/"), other?.[0].split("/"));
    return el("span", "label", ...levels.flatMap((level, at) => (at ? ["/", level] : [level])));
  }
  const parts = compared(fields, other);
  const [head, headType, tail, tailType, relation] = parts;
  headType.className = tailType.className = "type";
  relation.className = "relation";
  const arrow = el("span", "arrow", "— ", relation, " →");
  return el("span", "quintuple", el("span", "whole", head, " ", headType), " ", arrow, " ", el("span", "whole", tail, " ", tailType));
}

function compared(parts, others) {
  return parts.map((part, at) => el(others && others[at] !== part ? "u" : "span", "", part));
}

function card(answer, model) {
  const head = (name) => el("h3", "", sign(name), " ", el("span", "model", model), " ", el("span", "quiet", SIGNS[name][1]));
  if (!answer) return el("section", "card absent", head("absent"));
  const rows = answer.parts.map((part) => judged(...part));
  const answers = rows.length ? el("ul", "answers", ...rows) : el("p", "quiet", "nothing, as in the gold");
  const unread = UNREADABLE.includes(answer.verdict);
  const raw = unread || answer.raw ? [el("h4", "", "as it came"), el("pre", "", answer.raw || "(empty)")] : [];
  return el("section", `card ${answer.verdict.split(" ")[0]}`, head(answer.verdict), answers, ...raw, ...reasoning(answer));
}

function judged(said, meant, kind) {
  const name = !kind ? "right" : kind === "missed" || UNREADABLE.includes(kind) ? kind : "wrong";
  const row = el("li", name.split(" ")[0], sign(name), " ");
  const shown = said ?? (kind === "missed" ? meant : null);
  if (shown) row.append(label(shown, said && kind ? meant : null), " ");
  if (kind) row.append(el("span", "kind", kind));
  if (kind && meant && shown !== meant) row.append(el("div", "instead", "gold: ", label(meant)));
  return row;
}

function reasoning(answer) {
  if (!answer.steps.length) return UNREADABLE.includes(answer.verdict) ? [] : [el("p", "quiet", "no reasoning given")];
  const steps = answer.steps.map((step) => {
    const heading = /^[^:]{1,25}:/.exec(step)?.[0] ?? "";
    return el("li", "", el("b", "", heading), step.slice(heading.length));
  });
  return [el("h4", "", "reasoning"), el("ul", "steps", ...steps)];
}
