"use strict";
// Conveniences only: without this script the page says the same.
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

for (const button of all("button.copy")) {
  const label = button.getAttribute("aria-label");
  button.hidden = false;
  button.addEventListener("click", async () => {
    const code = button.parentElement.querySelector("code");
    let said = "Copied";
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      // From a file:// page the clipboard may be refused: leave the text selected, so that one key copies it.
      getSelection().selectAllChildren(code);
      said = "Selected";
    }
    button.textContent = said;
    button.setAttribute("aria-label", said);
    setTimeout(() => { button.textContent = "Copy"; button.setAttribute("aria-label", label); }, 1500);
  });
}

// The filter: rows and divergences are items. They belong to a line of the matrix by data-g, which is the beginning of a row's id.
const form = document.querySelector("form.filter");
const opened = new Set();
let apply = () => {};
if (form) {
  const lines = all(".matrix tr[data-g]");
  const groups = new Map(lines.map((line) => [line.dataset.g, line]));
  const ITEM = "[id^='row/'], [data-g]:not(tr)";
  const items = all(ITEM).map((element) => {
    const group = element.dataset.g ?? element.id.slice(0, element.id.lastIndexOf("/"));
    const contract = element.closest(".each")?.parentElement.querySelector("code");
    const { layer = "", branch = "", dtype = "" } = groups.get(group)?.dataset ?? {};
    const text = [layer, branch, dtype, contract?.textContent ?? "", element.textContent].join(" ").toLowerCase();
    return { element, text, group, layer, dtype, row: element.id.startsWith("row/") };
  });
  const boxes = all("details[data-rows], .contracts > li, .lay, .folded");
  const said = form.querySelector("output");
  const wanted = () => Object.fromEntries([...new FormData(form)].filter(([, value]) => value.trim()));

  const matches = (item, want, words) => words.every((word) => item.text.includes(word)) && (!want.layer || item.layer === want.layer)
    && (!want.dtype || item.dtype === want.dtype) && (!want.status || (item.element.dataset.s ?? "passed") === want.status);

  const show = (active) => {
    for (const table of all(".matrix tbody")) table.hidden = active && !table.querySelector("tr[data-g]:not([hidden])");
    for (const box of boxes) {
      box.hidden = active && !all(ITEM, box).some((item) => !item.hidden);
      if (active && !box.hidden && box.localName === "details" && !box.open) { box.open = true; opened.add(box); }
    }
    if (!active) { for (const box of opened) box.open = false; opened.clear(); }
    const divergences = document.getElementById("divergences");
    if (divergences) divergences.hidden = active && !all(ITEM, divergences).some((item) => !item.hidden);
    document.body.classList.toggle("filtered", active);
  };

  apply = () => {
    const want = wanted();
    const active = Object.keys(want).length > 0;
    const words = (want.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const seen = new Set();
    let rows = 0, found = 0;
    for (const item of items) {
      const fits = matches(item, want, words);
      item.element.hidden = !fits;
      if (fits) { seen.add(item.group); if (item.row) rows++; else found++; }
    }
    for (const line of lines) line.hidden = !seen.has(line.dataset.g);
    show(active);
    const total = items.filter((item) => item.row).length;
    said.textContent = active ? `${rows} of ${total} rows, ${found} ${found === 1 ? "divergence" : "divergences"}` : "";
    const query = new URLSearchParams(want).toString();
    try { history.replaceState(null, "", (query ? `?${query}` : location.pathname) + location.hash); } catch { /* the address stays */ }
  };

  for (const [name, value] of new URLSearchParams(location.search)) if (form.elements[name]) form.elements[name].value = value;
  form.hidden = false;
  form.addEventListener("input", () => apply());
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("keydown", (event) => { if (event.key === "Escape") form.reset(); });
  addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    event.preventDefault();
    form.elements.q.focus();
    form.elements.q.select();
  });
  if (location.search) apply();
}

// A link into a closed part opens it, and one to what is filtered away shows it again; paper shows everything.
const reveal = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  if (target.closest("[hidden]")) form?.reset();
  for (let at = target; at; at = at.parentElement) if (at.localName === "details") at.open = true;
  const article = target.closest("article.divergence");
  if (article) for (const part of all(":scope > details", article)) part.open = true;
  setTimeout(() => target.scrollIntoView());
};
addEventListener("hashchange", reveal);
reveal();
let closed = [];
addEventListener("beforeprint", () => {
  closed = all("details:not([open])");
  for (const part of closed) part.open = true;
});
addEventListener("afterprint", () => { for (const part of closed) part.open = false; });
