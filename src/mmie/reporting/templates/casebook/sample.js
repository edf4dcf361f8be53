"use strict";

/* One sample: pictures, text, gold, and one card for the answer of each system. */

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
const LARGE = 240, SMALL = 140; // longer side on the screen of a picture and of a part, in pixels
const SPACE = "\u00a0";

/** The text with the marks that would reorder what stands around it shown as their code points. */
function visible(text) {
  const code = (mark) => `\\u${mark.charCodeAt(0).toString(16)}`;
  return text.replace(/[\u202a-\u202e\u2066-\u2069]/g, code);
}

/** An element; children that are text stay text. */
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
  const made = titled(el("span", `sign ${firstWord(name)}`, SIGNS[name][0]), title);
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", title);
  return made;
}

function firstWord(text) {
  return text.split(" ")[0];
}

function renderCase(sample, book) {
  const pictures = sample.pictures.map((picture) => figure(picture, book.pictures));
  const text = tweet(sample, book.systems);
  const facts = el("div", "facts", text, el("h3", "", "gold"), gold(sample));
  const cards = sample.answers.map((answer, system) => card(answer, book.systems[system]));
  return [
    el("div", "sample", el("div", "pictures", ...pictures), facts),
    el("div", "cards", ...cards),
  ];
}

function figure(shown, pictures) {
  const picture = pictures[shown.number];
  const caption = el("figcaption", "", pictureName(shown));
  if (!picture?.source) {
    const reason = picture ? `not there: ${picture.missing}` : "blank";
    const kind = shown.part ? "frame placeholder part" : "frame placeholder";
    return el("figure", "", el("div", kind, reason), caption);
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

function pictureName({ part, boxes }) {
  if (part) return "the object";
  return boxes.length ? "the picture, its object framed" : "the picture";
}

function outline([left, upper, right, lower], { width, height }) {
  const made = el("div", "box");
  const [from, to] = [Math.max(left, 0) / width, Math.min(right, width) / width];
  const [top, bottom] = [Math.max(upper, 0) / height, Math.min(lower, height) / height];
  const shares = { left: from, width: to - from, top, height: bottom - top };
  for (const [edge, share] of Object.entries(shares)) made.style[edge] = `${100 * share}%`;
  return made;
}

function tweet(sample, systems) {
  const names = new Map();
  sample.answers.forEach((answer, system) => {
    for (const name of namesSaid(answer)) {
      const others = names.get(name)?.by ?? [];
      names.set(name, { gold: false, by: [...others, systems[system]] });
    }
  });
  for (const [name, type] of sample.gold.flatMap(entities)) names.set(name, { gold: true, type });
  for (const [key, value] of Object.entries(sample.extra)) {
    names.set(value, { gold: true, type: key });
  }
  return el("p", "tweet", ...marked(sample.text, names));
}

function namesSaid(answer) {
  const parts = answer?.parts ?? [];
  return new Set(parts.flatMap(([said]) => entities(said).map(([name]) => name)));
}

/** The (name, type) pairs in a part with five fields: head, type, tail, type, relation. */
function entities(fields) {
  return fields?.length === 5 ? [fields.slice(0, 2), fields.slice(2, 4)] : [];
}

/** The text as nodes, with the names in it marked: long names first, none inside another. */
function marked(text, names) {
  const found = [];
  for (const name of [...names.keys()].sort((one, other) => other.length - one.length)) {
    for (const place of occurrences(text, name)) {
      const free = found.every((other) => place.end <= other.start || place.start >= other.end);
      if (free) found.push({ ...place, name });
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

/** Where the name stands in the text, not counting places inside a longer word. */
function occurrences(text, name) {
  const places = [];
  let start = name ? text.indexOf(name) : -1;
  while (start >= 0) {
    const end = start + name.length;
    if (!insideWord(text, start) && !insideWord(text, end)) places.push({ start, end });
    start = text.indexOf(name, start + 1);
  }
  return places;
}

function insideWord(text, place) {
  const letter = (character) => /[\p{L}\p{N}]/u.test(character ?? "");
  return letter(text[place - 1]) && letter(text[place]);
}

function mention(name, { gold, type, by }) {
  const kind = gold ? "name" : "name only-said";
  const title = gold ? "gold entity" : `not a gold entity; named by ${by.join(", ")}`;
  return titled(el("span", kind, name, SPACE, el("span", "type", gold ? type : "?")), title);
}

function gold(sample) {
  const rows = sample.gold.map((fields) => el("li", "", label(fields)));
  for (const [key, value] of Object.entries(sample.extra)) {
    rows.push(el("li", "quiet", `${key}: ${value}`));
  }
  return rows.length ? el("ul", "answers", ...rows) : el("p", "quiet", "nothing");
}

/** A part of an answer; where it differs from the other one, it is underlined. */
function label(fields, other = null) {
  if (fields.length === 5) return quintuple(compared(fields, other));
  if (fields.length === 1) {
    const levels = compared(fields[0].split("/"), other?.[0].split("/"));
    return el("span", "label", ...joined(levels, "/"));
  }
  return el("span", "label", ...joined(compared(fields, other), " · "));
}

function quintuple([head, headType, tail, tailType, relation]) {
  headType.className = tailType.className = "type";
  relation.className = "relation";
  const from = el("span", "whole", head, " ", headType);
  const to = el("span", "whole", tail, " ", tailType);
  return el("span", "quintuple", from, " ", el("span", "arrow", "— ", relation, " →"), " ", to);
}

function compared(parts, others) {
  return parts.map((part, at) => el(others && others[at] !== part ? "u" : "span", "", part));
}

function joined(elements, between) {
  return elements.flatMap((element, at) => (at ? [between, element] : [element]));
}

function card(answer, system) {
  if (!answer) return el("section", "card absent", cardHead("absent", system));
  const parts = answer.parts.map((part) => judged(...part));
  const nothing = el("p", "quiet", "nothing, as in the gold");
  return el(
    "section",
    `card ${firstWord(answer.verdict)}`,
    cardHead(answer.verdict, system),
    parts.length ? el("ul", "answers", ...parts) : nothing,
    ...asItCame(answer),
    ...reasoning(answer),
  );
}

function cardHead(name, system) {
  const words = [el("span", "system", system), " ", el("span", "quiet", SIGNS[name][1])];
  return el("h3", "", sign(name), " ", ...words);
}

function judged(said, meant, kind) {
  const missed = kind === "missed";
  const name = !kind ? "right" : missed || UNREADABLE.includes(kind) ? kind : "wrong";
  const row = el("li", firstWord(name), sign(name), " ");
  const shown = said ?? (missed ? meant : null);
  if (shown) row.append(label(shown, said && kind ? meant : null), " ");
  if (kind) row.append(el("span", "kind", kind));
  if (kind && meant && shown !== meant) row.append(el("div", "instead", "gold: ", label(meant)));
  return row;
}

function asItCame(answer) {
  if (!UNREADABLE.includes(answer.verdict) && !answer.raw) return [];
  return [el("h4", "", "as it came"), el("pre", "", answer.raw || "(empty)")];
}

function reasoning(answer) {
  if (answer.steps.length) {
    return [el("h4", "", "reasoning"), el("ul", "steps", ...answer.steps.map(reasoningStep))];
  }
  const unreadable = UNREADABLE.includes(answer.verdict);
  return unreadable ? [] : [el("p", "quiet", "no reasoning given")];
}

function reasoningStep(step) {
  const heading = /^[^:]{1,25}:/.exec(step)?.[0] ?? "";
  return el("li", "", el("b", "", heading), step.slice(heading.length));
}
