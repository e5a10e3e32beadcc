// Live updates for the console's pages, which also work without scripts.
"use strict";
(() => {
  const set = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
    if (element.classList.contains("state")) element.dataset.text = text;
  };
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // Charts: the page contains the first points, the stream adds more.
  let points = [];
  let charts = [];
  const column = (i) => points.map((p) => p[i]);
  // span returns the range of the time axis: at least a minute.
  const span = (low, high) => {
    const end = high ?? Date.now() / 1000;
    return [Math.min(low ?? end, end - 60), end];
  };
  const draw = () => {
    charts.forEach((c) => c.plot.destroy());
    charts = [...document.querySelectorAll(".chart")].map((element) => {
      const lines = [...element.dataset.lines.matchAll(/(\d+):([^\d]+)/g)].map((m) => [Number(m[1]), m[2].trim()]);
      const paint = ["--one", "--two", "--three"].map(color);
      const axis = { stroke: color("--quiet"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
      const plot = new uPlot({
        width: element.clientWidth, height: 190, cursor: { drag: { x: false, y: false } },
        scales: { x: { range: (_, low, high) => span(low, high) }, y: { range: (_, low, high) => [0, Math.max(high * 1.1, 1)] } },
        axes: [axis, { ...axis, size: 56, values: (_, v) => v.map((n) => Intl.NumberFormat("en", { notation: "compact" }).format(n)) }],
        series: [{ label: "time", value: (_, v) => (v == null ? "" : new Date(v * 1000).toLocaleTimeString()) },
          ...lines.map(([, label], i) => ({ label, value: (_, v) => (v == null ? "" : Intl.NumberFormat("en", { maximumFractionDigits: 1 }).format(v)), stroke: paint[i], width: 2, points: { show: false } }))],
      }, [column(0), ...lines.map(([i]) => column(i))], element);
      element.setAttribute("role", "img");
      element.setAttribute("aria-label", element.parentElement.querySelector("figcaption").textContent + ": " + lines.map((l) => l[1]).join(", ") + "; the numbers of now stand above");
      return { plot, lines };
    });
  };
  const more = (next) => {
    const last = points.length ? points[points.length - 1][0] : 0;
    points.push(...next.filter((p) => p[0] > last));
    points = points.slice(-600);
    charts.forEach((c) => c.plot.setData([column(0), ...c.lines.map(([i]) => column(i))]));
    document.documentElement.dataset.points = points.length;
  };

  // The stream reports changed texts, and whether the rows are still the same.
  let stream;
  const listen = () => {
    const part = document.getElementById("set");
    if (!part) return;
    const stands = document.getElementById("stands");
    stream = new EventSource(part.dataset.stream);
    stream.onopen = () => { stands.hidden = true; };
    stream.onerror = () => { stands.hidden = false; };
    stream.onmessage = (message) => {
      const change = JSON.parse(message.data);
      if (change.gone) {
        stream.close();
        location.assign(document.querySelector(".brand").href);
        return;
      }
      for (const [name, text] of Object.entries(change.cells || {})) {
        document.querySelectorAll('[data-live="' + CSS.escape(name) + '"]').forEach((e) => set(e, text));
      }
      if (change.points) more(change.points);
      const now = document.getElementById("set");
      if (change.set !== now.dataset.set && !now.dataset.asked) {
        now.dataset.asked = "1";
        refresh();
      }
    };
  };
  // refresh reloads the parts that the stream cannot update; the focus stays where it was.
  const refresh = async () => {
    const now = document.getElementById("set");
    const answer = await fetch(now.dataset.page || location.href).catch(() => null); // after a rejected form, location is the form's address
    if (!answer || !answer.ok) {
      delete now.dataset.asked;
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const focused = document.activeElement && document.activeElement.getAttribute("href");
    now.replaceWith(document.adoptNode(page.getElementById("set")));
    const [old, fresh] = [document.querySelector("main > .actions"), page.querySelector("main > .actions")];
    if (old && fresh && old.innerHTML !== fresh.innerHTML) old.replaceWith(document.adoptNode(fresh));
    if (focused) document.querySelector('a[href="' + CSS.escape(focused) + '"]')?.focus();
  };

  // The form: which fields the user has touched, and their problems.
  const forms = () => {
    const form = document.getElementById("form");
    if (!form) return;
    document.querySelectorAll(".scripted").forEach((e) => { e.hidden = false; });
    const touched = new Set();
    const touch = (event) => {
      if (!event.target.name) return;
      touched.add(event.target.name);
      form.elements.touched.value = [...touched].join(" ");
    };
    form.addEventListener("input", touch, true);
    form.addEventListener("change", touch, true);
    document.body.addEventListener("htmx:afterSettle", mark);
    document.body.addEventListener("htmx:oobAfterSwap", mark);
    document.getElementById("summary")?.focus();
  };
  const mark = () => document.querySelectorAll(".wrong").forEach((wrong) => {
    const field = wrong.closest(".field");
    const is = wrong.textContent !== "";
    field.classList.toggle("is-wrong", is);
    field.querySelectorAll("input, select, textarea").forEach((input) => {
      if (is) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    });
  });

  forms();
  const first = document.getElementById("points");
  if (first) {
    points = JSON.parse(first.textContent) || [];
    draw();
    let width = innerWidth;
    addEventListener("resize", () => {
      if (innerWidth === width) return;
      width = innerWidth;
      draw();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  }
  listen();
  addEventListener("pagehide", () => stream?.close());
  addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
})();
