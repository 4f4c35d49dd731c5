import { render } from "./entities.js";

const byId = (id) => document.getElementById(id);
const seen = JSON.parse(sessionStorage.getItem("seen") || "{}");
let chosen = Number(new URLSearchParams(location.search).get("chat")) || null;
let drawn = "";
let drawnList = "";
let lastToast = null;
let knownMessages = null;

async function ask(path, method = "GET", body = undefined) {
  const response = await fetch(`/_sandbox/${path}`, {
    method, body: body && JSON.stringify(body), headers: body ? { "Content-Type": "application/json" } : {},
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.description || response.statusText);
  return answer;
}

function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

const clock = (seconds) => new Date(seconds * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const day = (seconds) => new Date(seconds * 1000).toLocaleDateString([], { day: "numeric", month: "long" });

function face(node, chat) {
  node.textContent = chat.first_name.slice(0, 1).toUpperCase();
  node.style.background = `hsl(${(chat.id * 47) % 360} 52% 36%)`;
  return node;
}

function drawList({ chats }) {
  const state = JSON.stringify([chats, chosen, seen]);
  if (state === drawnList) return;
  drawnList = state;
  byId("no-chats").hidden = chats.length > 0;
  byId("chats").replaceChildren(...chats.map((chat) => {
    const unread = chat.id === chosen ? 0 : chat.count - (seen[chat.id] || 0);
    const when = make("span", { className: "when" }, chat.last_date ? clock(chat.last_date) : "");
    if (unread > 0) when.append(make("span", { className: "unread", title: `${unread} unread` }, String(unread)));
    const line = make("span", { className: "line" }, make("strong", {}, chat.first_name),
      make("span", {}, chat.last_text || (chat.blocked ? "Bot blocked" : "No messages yet")));
    const avatar = face(make("span", { className: "face", ariaHidden: "true" }), chat);
    const button = make("button", { type: "button", onclick: () => choose(chat.id) }, avatar, line, when);
    button.setAttribute("aria-current", String(chat.id === chosen));
    return make("li", {}, button);
  }));
}

function keys(message) {
  const rows = message.reply_markup?.inline_keyboard || [];
  return make("div", { className: "keys" }, ...rows.map((row) => make("div", {}, ...row.map((key) => {
    if (key.url) return make("a", { href: /^https?:/.test(key.url) ? key.url : "#", target: "_blank", rel: "noopener" }, key.text);
    if (key.pay) return make("button", { type: "button", className: "pay", onclick: (event) => pay(event.target, message) }, key.text);
    return make("button", { type: "button", onclick: (event) => press(event.target, message, key) }, key.text);
  }))));
}

function quote({ text, caption }) {
  return make("div", { className: "quote" }, (text || caption || "Photo").replace(/\s+/g, " "));
}

function bubble(message) {
  const box = make("div", { className: "bubble" });
  if (message.reply_to_message) box.append(quote(message.reply_to_message));
  for (const photo of (message.photo || []).slice(-1)) {
    box.append(make("img", { src: `/_sandbox/photos/${photo.file_id}`, alt: message.caption || "Picture", width: photo.width, height: photo.height }));
  }
  if (message.invoice) box.append(make("div", { className: "text" }, make("strong", {}, message.invoice.title), ` · ⭐ ${message.invoice.total_amount}`, make("br"), message.invoice.description));
  if (message.successful_payment) box.append(make("div", { className: "text" }, `You paid ⭐ ${message.successful_payment.total_amount}`));
  if (message.refunded_payment) box.append(make("div", { className: "text" }, `⭐ ${message.refunded_payment.total_amount} came back`));
  if (message.document) {
    box.append(make("a", { className: "document", href: `/_sandbox/documents/${message.document.file_id}`, download: message.document.file_name }, `📄 ${message.document.file_name}`));
  }
  const entities = message.entities || message.caption_entities || [];
  box.append(make("div", { className: "text" }, render(message.text || message.caption || "", entities)));
  const meta = make("div", { className: "meta" });
  if (message.silent) meta.append(make("span", { title: "Sent without a notification" }, "silent"));
  if (message.edited) meta.append(make("span", {}, "edited"));
  meta.append(make("time", { dateTime: new Date(message.date * 1000).toISOString() }, clock(message.date)));
  box.append(meta);
  return box;
}

function drawTalk(chat) {
  const state = JSON.stringify(chat);
  if (state === drawn) return;
  drawn = state;
  const talk = byId("talk");
  const atEnd = talk.scrollHeight - talk.scrollTop - talk.clientHeight < 80;
  let lastDay = "";
  talk.replaceChildren(...chat.messages.flatMap((message) => {
    const isNew = knownMessages && !knownMessages.has(message.message_id);
    const item = make("li", { className: `${message.from.is_bot ? "" : "mine"} ${isNew ? "new" : ""}`.trim() }, bubble(message));
    if (message.reply_markup) item.append(keys(message));
    const today = day(message.date);
    const separator = today === lastDay ? [] : [make("li", { className: "day" }, today)];
    lastDay = today;
    return [...separator, item];
  }));
  if (atEnd || !knownMessages) talk.scrollTop = talk.scrollHeight;
  knownMessages = new Set(chat.messages.map((message) => message.message_id));
  seen[chat.id] = chat.count;
  sessionStorage.setItem("seen", JSON.stringify(seen));
}

function drawHead(chat) {
  face(byId("face"), chat);
  byId("who").textContent = chat.first_name;
  byId("handle").textContent = `${chat.username ? `@${chat.username} · ` : ""}chat ${chat.id}`;
  byId("block").hidden = false;
  byId("block").textContent = chat.blocked ? "Unblock bot" : "Block bot";
  byId("block").onclick = () => ask(`chats/${chat.id}`, "PATCH", { blocked: !chat.blocked }).then(refresh);
  byId("text").disabled = byId("send").disabled = chat.blocked;
}

function toast(text) {
  const node = byId("toast");
  node.textContent = text;
  node.hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => { node.hidden = true; }, 4000);
}

function drawToasts(toasts) {
  const newest = toasts.at(-1);
  if (newest && lastToast !== null && newest.id !== lastToast && newest.text) toast(newest.text);
  lastToast = newest ? newest.id : "";
}

async function pay(button, message) {
  button.disabled = true;
  try {
    const answer = await ask(`chats/${chosen}/pay`, "POST", { message_id: message.message_id });
    toast(answer.paid ? "Paid." : answer.problem);
  } catch (error) {
    toast(error.message);
  }
  button.disabled = false;
}

async function press(button, message, key) {
  button.setAttribute("aria-busy", "true");
  try {
    await ask(`chats/${chosen}/callbacks`, "POST", { message_id: message.message_id, data: key.callback_data });
  } catch (error) {
    toast(error.message);
  }
  setTimeout(() => button.removeAttribute("aria-busy"), 1500);
}

function choose(id) {
  chosen = id;
  drawn = "";
  lastToast = knownMessages = null;
  history.replaceState(null, "", id ? `?chat=${id}` : "/");
  byId("desk").classList.toggle("talking", Boolean(id));
  return refresh();
}

async function refresh() {
  const list = await ask("chats");
  if (!chosen && list.chats.length && matchMedia("(min-width: 701px)").matches) chosen = list.chats[0].id;
  if (list.chats.some((chat) => chat.id === chosen)) {
    const chat = await ask(`chats/${chosen}`);
    if (chat.id === chosen) {
      drawHead(chat);
      drawTalk(chat);
      drawToasts(chat.toasts);
    }
  }
  drawList(list);
}

async function newVisitor() {
  const list = await ask("chats");
  const id = Math.max(900000000, ...list.chats.map((chat) => chat.id)) + 1;
  await ask("chats", "POST", { id, first_name: `Visitor ${id - 900000000}`, username: "" });
  await choose(id);
  byId("text").focus();
}

byId("write").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = byId("text").value;
  if (!text.trim() || !chosen) return;
  byId("text").value = "";
  await ask(`chats/${chosen}/messages`, "POST", { text }).catch((error) => toast(error.message));
  await refresh();
});
byId("new-visitor").addEventListener("click", newVisitor);
byId("back").addEventListener("click", () => choose(null));

async function tick() {
  try {
    byId("market").textContent = (await ask("status")).label;
    await refresh();
  } catch (error) {
    byId("market").textContent = `the sandbox does not answer (${error.message})`;
  }
  setTimeout(tick, 1000);
}

byId("desk").classList.toggle("talking", Boolean(chosen));
tick();
