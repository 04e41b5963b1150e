"use strict";
/* Whole numbers from doubles: a value within rounding of a whole number is that number. */
const ROUNDING = Math.pow(2, -50);
const ceil = (x) => Math.ceil(x - Math.abs(x) * ROUNDING);
const floor = (x) => Math.floor(x + Math.abs(x) * ROUNDING);

/* The explorer: reads the fields, computes every formula of FORMULAS, shows numbers or the hypothesis that fails. */
(function () {
  const STEPS = 400;
  const node = (tag, attributes, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  const markup = (html) => document.createRange().createContextualFragment(html);

  function parsed(text) {
    const trimmed = text.trim();
    if (/^(inf|infinity|∞)$/i.test(trimmed)) return Infinity;
    const number = "[+-]?(?:\\d+\\.?\\d*|\\.\\d+)(?:e[+-]?\\d+)?";
    const found = trimmed.match(new RegExp(`^(${number})(?:\\s*/\\s*(${number}))?$`, "i"));
    if (!found) return NaN;
    return found[2] === undefined ? Number(found[1]) : Number(found[1]) / Number(found[2]);
  }

  function complaint(input, text) {
    const value = parsed(text);
    if (Number.isNaN(value)) return `${input.name} must be a number such as 0.05 or 1/20, got ${text.trim() || "nothing"}`;
    if (value < 0 || (input.positive && value === 0))
      return `${input.name} must be ${input.positive ? "positive" : "at least 0"}, got ${text.trim()}`;
    if (value === Infinity && !input.whole) return `${input.name} must be finite, got ${text.trim()}`;
    return "";
  }

  /* Adds what the claims need beside the inputs. */
  function completed(values) {
    const all = { ...values };
    for (const { name } of DATA.given) all[name] = FORMULAS[`given/${name}`](all);
    return all;
  }

  function fails(number, all) {
    const { operator } = DATA.hypotheses[number];
    const left = FORMULAS[`left/${number}`](all);
    const right = FORMULAS[`right/${number}`](all);
    const strict = !operator.includes("=");
    const room = operator.startsWith("<") ? right - left : left - right;
    if (left === right) return strict && { left, right };
    const near = Math.abs(left - right) <= 2 * ROUNDING * Math.max(Math.abs(left), Math.abs(right));
    if (strict ? room > 0 && !near : room > 0 || near) return null;
    return { left, right };
  }

  function outside(claim, all) {
    for (const number of claim.domain) {
      const sides = fails(number, all);
      if (sides) return { number, ...sides };
    }
    return null;
  }

  function sentence(claim, failure, all) {
    const { text, source, symbols } = DATA.hypotheses[failure.number];
    const given = symbols.map((name) => `${name} = ${shown(all[name])}`).join(", ");
    return `${claim.id} needs ${text} (${source}), but ${given} make the left side ${shown(failure.left)} and the right side ${shown(failure.right)}`;
  }

  /* A claim's right side at the inputs' values, or why there is none. */
  function evaluate(id, which, values) {
    const claim = DATA.claims.find((each) => each.id === id);
    const all = completed(values);
    const failure = outside(claim, all);
    if (failure) return { outside: DATA.hypotheses[failure.number].text, sentence: sentence(claim, failure, all) };
    return { value: FORMULAS[`${id}/${which}`](all) };
  }

  function plan(values) {
    const all = completed(values);
    for (const key of Object.keys(FORMULAS).filter((each) => each.startsWith("plan/")))
      all[key.slice(5)] = FORMULAS[key](all);
    return all;
  }

  function shown(number) {
    if (number === Infinity) return "∞";
    if (Number.isInteger(number) && Math.abs(number) < 1e7) return String(number);
    const short = Math.abs(number) < 1e-4 || Math.abs(number) >= 1e12 ? number.toExponential(5) : number.toPrecision(6);
    return String(short.includes("e") ? short : Number(short)).replace(/\.?0*e\+?/, "e");
  }

  const result = (number) => node("span", { class: "number", "data-value": number }, shown(number));

  /* ---- fields ---- */

  const form = document.getElementById("inputs");
  const fields = {};

  function positioned(input, position) {
    if (input.zero && position <= 0) return "0";
    if (input.whole && position >= STEPS) return "inf";
    const low = Math.log10(input.low);
    const value = Math.pow(10, low + ((Math.log10(input.high) - low) * position) / STEPS);
    return input.whole ? String(Math.max(1, Math.round(value))) : String(Number(value.toPrecision(3)));
  }

  function position(input, value) {
    if (value <= 0) return 0;
    const low = Math.log10(input.low);
    return Math.round((STEPS * (Math.log10(value) - low)) / (Math.log10(input.high) - low));
  }

  for (const input of DATA.inputs) {
    const id = `explorer-${input.name}`;
    const slider = node("input", { type: "range", min: 0, max: STEPS, step: 1, id: `${id}-slider`, "aria-label": input.meaning });
    const text = node("input", { type: "text", id, value: input.default, size: 8, autocomplete: "off", spellcheck: "false" });
    const label = node("label", { for: id, title: input.meaning }, markup(input.label));
    const meaning = node("span", { class: "meaning" }, input.meaning);
    form.append(node("div", { class: "field" }, label, text, slider, meaning));
    fields[input.name] = { text, slider };
    slider.value = position(input, parsed(input.default));
    slider.addEventListener("input", () => { text.value = positioned(input, Number(slider.value)); refresh(); });
    text.addEventListener("input", () => {
      if (!complaint(input, text.value)) slider.value = position(input, parsed(text.value));
      refresh();
    });
  }
  document.getElementById("reset").addEventListener("click", () => {
    for (const input of DATA.inputs) {
      fields[input.name].text.value = input.default;
      fields[input.name].slider.value = position(input, parsed(input.default));
    }
    refresh();
  });

  function values() {
    const found = {};
    const wrong = [];
    for (const input of DATA.inputs) {
      const { text } = fields[input.name];
      const fault = complaint(input, text.value);
      text.setAttribute("aria-invalid", fault ? "true" : "false");
      if (fault) wrong.push(fault);
      found[input.name] = parsed(text.value);
    }
    return { found, wrong };
  }

  /* ---- results ---- */

  function refresh() {
    const { found, wrong } = values();
    const notes = document.getElementById("outside");
    if (wrong.length) {
      notes.replaceChildren(...wrong.map((fault) => node("li", {}, fault)));
      document.getElementById("results").classList.add("stale");
      return;
    }
    document.getElementById("results").classList.remove("stale");
    showBounds(found, notes);
    showLadder(found);
    showPlan(found);
    showCurves(found);
  }

  function showBounds(found, notes) {
    const body = document.getElementById("bounds");
    const all = completed(found);
    const failures = new Map();
    body.replaceChildren(
      ...DATA.claims.map((claim) => {
        const failure = outside(claim, all);
        if (failure) {
          const known = failures.get(failure.number);
          if (known) known.also.push(claim.id);
          else failures.set(failure.number, { text: sentence(claim, failure, all), also: [] });
        }
        const names = Object.keys(claim.versions);
        const cells = ["published", "sharp"].map((which) => {
          const key = failure ? null : evaluate(claim.id, which, found).value;
          return node("td", { id: `value-${claim.id}-${which}`, title: claim.versions[which].source }, failure ? "outside" : result(key));
        });
        const best = node("td", { id: `value-${claim.id}-best` });
        if (!failure && claim.kind !== "identity") {
          const order = claim.kind === "upper" ? 1 : -1;
          const ranked = names
            .filter((which) => claim.versions[which].status === "proved")
            .map((which) => [order * evaluate(claim.id, which, found).value, which])
            .reverse()
            .sort((one, other) => one[0] - other[0]);
          best.append(result(order * ranked[0][0]), node("span", { class: "which" }, ` ${ranked[0][1]}`));
        }
        const relation = claim.kind === "upper" ? " ≤" : " ≥";
        const name = node("th", { scope: "row" }, node("span", { class: "id" }, `${claim.id} ${claim.equation}`), markup(claim.left), relation);
        return node("tr", failure ? { class: "outside" } : {}, name, ...cells, best);
      })
    );
    notes.replaceChildren(
      ...[...failures.values()].map(({ text, also }) =>
        node("li", {}, text, also.length ? node("span", { class: "also" }, ` So do ${also.join(", ")}.`) : "")
      )
    );
    document.getElementById("floors").replaceChildren(
      ...Object.keys(DATA.floors).flatMap((which, i) => [i ? ", " : "", `${which} `, result(FORMULAS[`floor/${which}`](all))])
    );
    document.getElementById("given").replaceChildren(
      ...DATA.given.flatMap(({ name, label }, i) => [i ? ", " : "", markup(label), " = ", result(all[name])])
    );
  }

  function showLadder(found) {
    const rungs = [];
    for (const id of DATA.ladder) {
      const claim = DATA.claims.find((each) => each.id === id);
      for (const which of Object.keys(claim.versions)) {
        const asked = evaluate(id, which, found);
        if (claim.kind === "lower" && which !== "sharp") continue;
        rungs.push({ claim, which, ...asked });
      }
    }
    const top = Math.max(...rungs.map(({ value }) => value || 0));
    const low = Math.min(...rungs.map(({ value }) => (value > 0 ? value : Infinity))) / 2;
    document.getElementById("ladder").replaceChildren(
      ...rungs.map(({ claim, which, value, outside: hypothesis }) => {
        const share = value > 0 ? (100 * Math.log(value / low)) / Math.log(top / low) : 0;
        const lower = claim.kind === "lower";
        const bar = node("span", { class: lower ? "bar lower" : "bar", style: `width:${Math.max(0, share)}%` });
        const source = claim.versions[which].source;
        const constant = claim.versions[which].K;
        const title = lower ? claim.id.replace("iteration-bound-", "") : which;
        return node("tr", {},
          node("th", { scope: "row" }, title, node("span", { class: "meaning" }, source)),
          node("td", {}, constant === null ? "" : shown(constant)),
          node("td", { class: "bars" }, bar),
          node("td", { id: `ladder-${claim.id}-${which}` }, value === undefined ? `needs ${hypothesis}` : result(value)));
      })
    );
  }

  function showPlan(found) {
    const all = plan(found);
    document.getElementById("plan").replaceChildren(
      ...DATA.plan.map(({ name, label, meaning }) =>
        node("tr", {}, node("th", { scope: "row" }, markup(label)), node("td", { id: `plan-${name}` }, result(all[name])), node("td", { class: "meaning" }, meaning)))
    );
    const batches = { B: all.B, D_in: all.D_in, D_o: all.D_o, D_h: all.D_h };
    document.getElementById("totals").replaceChildren(
      node("tr", {}, node("th", { scope: "row" }, "samples an iteration"), node("td", { id: "plan-each" }, result(FORMULAS.samples(all))), node("td", {})),
      ...DATA.planned.map((which) => {
        const asked = evaluate("iteration-bound", which, { ...found, ...batches });
        const cell = node("td", { id: `plan-total-${which}` });
        if (asked.value === undefined) cell.append("needs ", asked.outside);
        else cell.append(result(FORMULAS[`total/${which}`](all)));
        const rounds = asked.value === undefined ? "" : `${shown(Math.floor(asked.value))} iterations`;
        return node("tr", {}, node("th", { scope: "row" }, `samples in all, K ${which}`), cell, node("td", { class: "meaning" }, rounds));
      })
    );
  }

  /* ---- T against eps ---- */

  const WIDE = 640, HIGH = 310, LEFT = 56, BOTTOM = 44, POINTS = 80;
  const CURVES = [
    ["iteration-bound", "published", "published", "a"],
    ["iteration-bound", "jensen", "repaired", "b"],
    ["iteration-bound", "sharp", "sharp", "c"],
    ["iteration-bound-lower-random", "sharp", "lower bound", "d"],
  ];

  function showCurves(found) {
    const chart = document.getElementById("curves");
    const middle = Math.log10(found.eps);
    const lows = [middle - 1.5, middle + 1];
    const at = (i) => Math.pow(10, lows[0] + ((lows[1] - lows[0]) * i) / POINTS);
    const lines = CURVES.map(([id, which, name, style]) => {
      const points = [];
      for (let i = 0; i <= POINTS; i++) {
        const value = evaluate(id, which, { ...found, eps: at(i) }).value;
        if (value > 0 && Number.isFinite(value)) points.push([Math.log10(at(i)), Math.log10(value)]);
      }
      return { name, style, points };
    });
    const heights = lines.flatMap(({ points }) => points.map((point) => point[1]));
    if (!heights.length) { chart.replaceChildren(); return; }
    const bottom = Math.floor(Math.min(...heights)), top = Math.ceil(Math.max(...heights));
    const x = (value) => LEFT + ((value - lows[0]) / (lows[1] - lows[0])) * (WIDE - LEFT - 90);
    const y = (value) => 10 + ((top - value) / Math.max(1, top - bottom)) * (HIGH - BOTTOM - 10);
    const draw = (tag, attributes, text) => {
      const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
      for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
      if (text !== undefined) made.textContent = text;
      return made;
    };
    const every = Math.ceil((top - bottom) / 6);
    const grid = [];
    for (let power = bottom; power <= top; power += every) {
      grid.push(draw("line", { x1: LEFT, x2: WIDE - 90, y1: y(power), y2: y(power), class: "grid" }));
      grid.push(draw("text", { x: LEFT - 6, y: y(power) + 4, class: "tick end" }, `1e${power}`));
    }
    for (let power = Math.ceil(lows[0]); power <= lows[1]; power++)
      grid.push(draw("text", { x: x(power), y: HIGH - 22, class: "tick middle" }, shown(Math.pow(10, power))));
    grid.push(draw("text", { x: (LEFT + WIDE - 90) / 2, y: HIGH - 6, class: "tick middle" }, "target eps"));
    grid.push(draw("text", { x: LEFT, y: 8, class: "tick" }, "T"));
    const here = draw("line", { x1: x(middle), x2: x(middle), y1: 10, y2: HIGH - BOTTOM, class: "here" });
    let last = -Infinity;
    const ends = lines.filter(({ points }) => points.length).map((line) => ({ ...line, end: line.points[line.points.length - 1] }));
    ends.sort((one, other) => y(one.end[1]) - y(other.end[1]));
    const labels = ends.map(({ name, style, end }) => {
      last = Math.max(y(end[1]) + 4, last + 13);
      return draw("text", { x: x(end[0]) + 6, y: last, class: `curve-label ${style}` }, name);
    });
    const paths = lines.map(({ style, points }) =>
      draw("polyline", { points: points.map((point) => `${x(point[0])},${y(point[1])}`).join(" "), class: `curve ${style}` }));
    chart.replaceChildren(...grid, here, ...paths, ...labels);
  }

  window.explorer = { values: () => values().found, evaluate, plan, parsed };
  window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
  refresh();
})();
