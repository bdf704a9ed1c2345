"use strict";
// Conveniences only: without this script the page says the same.
for (const button of document.querySelectorAll("button.copy")) {
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
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}
// A link into a closed part opens it; paper shows everything.
const reveal = () => {
  const target = document.getElementById(location.hash.slice(1));
  for (let at = target; at; at = at.parentElement) if (at.localName === "details") at.open = true;
  if (target) {
    const article = target.closest("article.divergence");
    if (article) for (const part of article.querySelectorAll(":scope > details")) part.open = true;
    target.scrollIntoView();
  }
};
addEventListener("hashchange", reveal);
reveal();
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const part of closed) part.open = true;
});
addEventListener("afterprint", () => { for (const part of closed) part.open = false; });
