// Text with Telegram's entities as DOM nodes. Offsets are UTF-16 units, which is what JavaScript strings count.
// Nothing is ever parsed as HTML, so a message cannot bring its own.

const TAGS = {
  bold: "strong", italic: "em", underline: "u", strikethrough: "s", code: "code", pre: "pre", blockquote: "blockquote",
};

function wrap(entity, inner) {
  if (entity.type === "text_link" || entity.type === "url") return link(entity.url || inner.textContent, inner);
  const node = document.createElement(TAGS[entity.type] || "span");
  if (entity.type === "bot_command") node.className = "command";
  if (entity.type === "spoiler") { node.className = "spoiler"; node.tabIndex = 0; }
  node.append(inner);
  return node;
}

function link(address, inner) {
  const node = document.createElement("a");
  node.append(inner);
  if (/^(https?|tg|mailto):/.test(address)) node.href = address;
  node.target = "_blank";
  node.rel = "noopener noreferrer";
  return node;
}

export function render(text, entities, from = 0, to = text.length) {
  const fragment = document.createDocumentFragment();
  let at = from;
  entities.forEach((entity, index) => {
    const end = entity.offset + entity.length;
    if (entity.offset < at || end > to) return;
    fragment.append(text.slice(at, entity.offset));
    const inside = entities.slice(index + 1);
    const inner = entity.type === "code" || entity.type === "pre"
      ? fragmentOf(text.slice(entity.offset, end))
      : render(text, inside, entity.offset, end);
    fragment.append(wrap(entity, inner));
    at = end;
  });
  fragment.append(text.slice(at, to));
  return fragment;
}

function fragmentOf(text) {
  const fragment = document.createDocumentFragment();
  fragment.append(text);
  return fragment;
}
