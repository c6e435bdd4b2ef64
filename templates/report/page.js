
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const all = (query, of = document) => [...of.querySelectorAll(query)];
  const [tools, search, said, filters, where, only] = ["tools", "q", "said", "filters", "where", "only"].map($);
  const outcomes = all('input[name="outcome"]');
  tools.hidden = false;

  // Read once, at the first question: the text of every row, and the boxes around each list of rows.
  let lists = null;
  let boxes = null;
  const read = () => {
    const known = new Map();
    boxes = all("[data-box]").map((element) => {
      const box = { element, shown: 0, isFold: element.tagName === "DETAILS", wasOpen: element.open, above: null };
      known.set(element, box);
      return box;
    });
    for (const box of boxes) box.above = known.get(box.element.parentElement.closest("[data-box]")) || null;
    lists = all("[data-rows]").map((element) => ({
      element,
      kind: element.dataset.rows,
      isSame: element.closest("[data-same]") !== null,
      box: known.get(element.closest("[data-box]")) || null,
      rows: all(":scope > .r", element).map((row) => ({
        row, text: row.textContent.toLowerCase(), outcome: row.dataset.o || "",
      })),
    }));
  };

  const asked = () => ({
    words: search.value.toLowerCase().split(/\s+/).filter(Boolean),
    outcomes: new Set(outcomes.filter((each) => each.checked).map((each) => each.value)),
    place: where.value,
    only: only.checked,
  });

  const fits = (list, entry, question) =>
    (question.outcomes.size === 0 || question.outcomes.has(entry.outcome)) &&
    question.words.every((word) => entry.text.includes(word));

  const filter = () => {
    if (!lists) read();
    const question = asked();
    const seeks = question.words.length > 0 || question.outcomes.size > 0 || question.place !== "";
    const isOn = seeks || question.only;
    const numbers = {};
    let total = 0;
    for (const box of boxes) box.shown = 0;
    for (const list of lists) {
      const isIn = !question.only || !list.isSame;
      const fitsPlace = question.place === "" || list.kind === question.place;
      let shown = 0;
      for (const entry of list.rows) {
        const show = isIn && fitsPlace && fits(list, entry, question);
        if (entry.row.hidden === show) entry.row.hidden = !show;
        if (show) shown += 1;
      }
      list.element.hidden = isOn && shown === 0;
      const kind = list.kind.split(" ")[0];
      numbers[kind] = (numbers[kind] || 0) + shown;
      total += shown;
      for (let box = list.box; box; box = box.above) box.shown += shown;
    }
    for (const box of boxes) {
      box.element.hidden = isOn && box.shown === 0;
      if (box.isFold) fold(box, seeks);
    }
    tell(isOn, total, numbers);
    // What is found begins below the search, wherever the reader was.
    if ($("start").getBoundingClientRect().top < 0) $("start").scrollIntoView();
    mark(question.words);
  };

  // What matches is opened, unless it is so much that only its number helps.
  const MANY = 200;
  const fold = (box, seeks) => {
    const isMuch = box.shown > MANY;
    const open = seeks && !isMuch ? box.shown > 0 : box.wasOpen;
    if (box.element.open !== open) box.element.open = open;
    const told = seeks && isMuch ? `${box.shown} match` : "";
    const summary = box.element.firstElementChild;
    if ((summary.dataset.match || "") !== told) summary.dataset.match = told;
  };

  const NAMES = { findings: "finding", facts: "fact", packages: "package", rules: "rule", machines: "machine" };
  const tell = (isOn, total, numbers) => {
    const told = Object.entries(numbers).filter(([, number]) => number > 0)
      .map(([kind, number]) => `${number} ${NAMES[kind]}${number === 1 ? "" : "s"}`);
    said.textContent = !isOn ? "" : total === 0 ? "Nothing matches" : `Shown: ${told.join(", ")}`;
    $("none").hidden = !isOn || total > 0;
  };

  // What was sought is marked without touching the text, where the browser can; a few hundred are enough.
  const mark = (words) => {
    if (!window.Highlight || !CSS.highlights) return;
    CSS.highlights.delete("sought");
    if (words.length === 0) return;
    const ranges = [];
    for (const list of lists) {
      for (const { row } of list.rows) {
        if (row.hidden || ranges.length > 300) continue;
        const walker = document.createTreeWalker(row, NodeFilter.SHOW_TEXT);
        for (let node = walker.nextNode(); node; node = walker.nextNode()) {
          const text = node.data.toLowerCase();
          if (text.length !== node.length) continue;
          for (const word of words) {
            const start = text.indexOf(word);
            if (start < 0) continue;
            const range = new Range();
            range.setStart(node, start);
            range.setEnd(node, start + word.length);
            ranges.push(range);
          }
        }
      }
    }
    CSS.highlights.set("sought", new Highlight(...ranges));
  };

  let waiting = 0;
  const soon = () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(filter);
  };
  tools.addEventListener("input", soon);
  tools.addEventListener("change", soon);
  tools.addEventListener("reset", () => setTimeout(filter));
  tools.addEventListener("submit", (event) => event.preventDefault());
  $("clear").addEventListener("click", () => {
    tools.reset();
    search.focus();
  });
  // A fold that the reader opens or closes while nothing is sought stays as it was left.
  document.addEventListener("click", (event) => {
    const own = event.target.closest && event.target.closest("summary") && event.target.closest("details");
    const box = own && boxes && boxes.find((each) => each.element === own);
    if (box) setTimeout(() => { box.wasOpen = own.open; });
  });

  document.addEventListener("keydown", (event) => {
    const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName) && event.target.type !== "checkbox";
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "Escape" && event.target === search) {
      search.value = "";
      soon();
    }
  });

  const opened = () => {
    const target = location.hash.length > 1 && $(decodeURIComponent(location.hash.slice(1)));
    for (let own = target && target.closest("details"); own; own = own.parentElement.closest("details")) own.open = true;
  };
  addEventListener("hashchange", opened);
  opened();

  for (const button of all("[data-copy]")) {
    const name = button.textContent;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = $(button.dataset.copy).textContent.trim();
      const isDone = await copied(text, $(button.dataset.copy));
      button.textContent = isDone ? "Copied" : "Press Ctrl+C";
      button.setAttribute("aria-live", "polite");
      setTimeout(() => { button.textContent = name; }, 2500);
    });
  }
  const copied = async (text, element) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      getSelection().selectAllChildren(element);
      return document.execCommand("copy");
    }
  };
})();
