// Progressive enhancement only: every page reads and works without this file.
"use strict";
const root = document.documentElement;
const all = (css, from = document) => [...from.querySelectorAll(css)];
const store = {
  get: (k) => { try { return localStorage.getItem(k); } catch { return null; } },
  set: (k, v) => { try { localStorage.setItem(k, v); } catch { /* private window */ } },
};

// Controls that need script are hidden until it runs.
all("[data-theme-switch], [data-units-switch], [data-keys-note], [data-copy]").forEach((n) => { n.hidden = false; });

// Theme: auto -> light -> dark.
const themes = ["auto", "light", "dark"];
function showTheme(name) {
  if (name === "auto") delete root.dataset.theme; else root.dataset.theme = name;
  all("[data-theme-switch]").forEach((b) => b.setAttribute("aria-label", "Theme: " + name));
}
let theme = themes.includes(store.get("theme")) ? store.get("theme") : "auto";
showTheme(theme);
function nextTheme() { theme = themes[(themes.indexOf(theme) + 1) % 3]; store.set("theme", theme); showTheme(theme); }
all("[data-theme-switch]").forEach((b) => b.addEventListener("click", nextTheme));

// Units: every size is <data class="b" value="bytes">, so the page can be rewritten without asking the server.
function words(bytes, iec) {
  const step = iec ? 1024 : 1000, names = iec ? ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] : ["B", "kB", "MB", "GB", "TB", "PB"];
  let v = bytes, i = 0;
  while (i < names.length - 1 && Number(v.toPrecision(iec && v >= 1000 ? 4 : 3)) >= step) { v /= step; i += 1; }
  if (i === 0) return [String(bytes), "B"];
  const whole = Math.floor(Math.log10(Number(v.toPrecision(3)))) + 1;      // digits before the point
  return [v.toFixed(Math.max(0, 3 - whole)), names[i]];
}
function showUnits(kind) {
  all("data.b").forEach((d) => {
    const [n, u] = words(Number(d.value), kind === "iec");
    d.firstChild.data = n + " "; d.querySelector("i").textContent = u;
  });
  all("[data-b]").forEach((t) => { t.textContent = words(Number(t.dataset.b), kind === "iec").join(" "); });    // in charts
  all("[data-units-note]").forEach((n) => { n.textContent = kind === "iec" ? "IEC units: 1 MiB = 1,048,576 bytes" : "SI units: 1 MB = 1,000,000 bytes"; });
  all("[data-units]").forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.units === kind)));
}
all("[data-units]").forEach((b) => b.addEventListener("click", () => { store.set("units", b.dataset.units); showUnits(b.dataset.units); }));
if (store.get("units") === "iec") showUnits("iec");

// Layer bar and line table point at each other.
function light(key, on) { all(`[data-l="${CSS.escape(key)}"]`).forEach((n) => n.classList.toggle("lit", on)); }
all("[data-l]").forEach((n) => {
  for (const [event, on] of [["pointerenter", true], ["focusin", true], ["pointerleave", false], ["focusout", false]])
    n.addEventListener(event, () => light(n.dataset.l, on));
});

all("[data-copy]").forEach((b) => b.addEventListener("click", async () => {
  await navigator.clipboard.writeText(b.dataset.copy);
  const was = b.textContent; b.textContent = "Copied"; setTimeout(() => { b.textContent = was; }, 1200);
}));

// How many rows of a table are chosen.
all("[data-counts]").forEach((b) => {
  const word = b.textContent, chosen = all(`input[form="${b.form.id}"][name="${b.dataset.counts}"]`);
  const show = () => { const n = chosen.filter((c) => c.checked).length; b.textContent = n ? `${word} ${n}` : word; };
  chosen.forEach((c) => c.addEventListener("change", show)); show();
});

// Keys. Never while someone types.
const rows = () => all("tbody tr").filter((tr) => tr.getClientRects().length);
function move(step) {
  const list = rows(), at = list.findIndex((tr) => tr.classList.contains("sel")), to = list[Math.max(0, Math.min(list.length - 1, at + step))];
  if (!to) return;
  list.forEach((tr) => tr.classList.toggle("sel", tr === to));
  to.scrollIntoView({ block: "nearest" });
}
document.addEventListener("keydown", (event) => {
  if (event.target.closest("input, select, textarea") || event.metaKey || event.ctrlKey || event.altKey) return;
  const act = { "/": () => document.querySelector("[type=search]")?.focus(), t: nextTheme, j: () => move(1), k: () => move(-1),
    ArrowDown: () => move(1), ArrowUp: () => move(-1), Enter: () => document.querySelector("tr.sel a")?.click(),
    u: () => document.querySelector('[data-units][aria-pressed="false"]')?.click(),
    "?": () => document.querySelector("#keys")?.showModal() }[event.key];
  if (!act || document.querySelector("dialog[open]") || (event.key === "Enter" && event.target !== document.body)) return;
  event.preventDefault(); act();
});
