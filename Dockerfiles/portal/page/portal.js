"use strict";
// The page of the lab: draws what the server tells, as it tells it. What comes from there is text, and never markup.

const LEVELS = {
  works: ["✔", "works"],
  starting: ["◔", "starts"],
  drift: ["≠", "was changed"],
  broken: ["✖", "broken"],
  unknown: ["?", "host doesn't answer"],
};
// What a check found, rather than something that was changed by hand.
const CHECKS = ["health-await", "member-join"];
const KINDS = {
  started: "▶", ended: "■", stopped: "■", removed: "■", killed: "✖", broken: "✖", works: "✔", healthy: "✔", port: "⇄", bridge: "⇄",
  provisioned: "⚙", drift: "≠", mended: "✚", impaired: "≈", vip: "★", tool: "·",
};
const SHOWN_EVENTS = 300;
const NODE = { width: 132, height: 44, gap: 6 };
const VIP = { width: 190, height: 50, gap: 29 };
const FONT = { "font-family": "sans-serif", "font-size": 15 };
const PADDING = { box: 8, bridge: 18, host: 22 };
const LABEL = 18;
// Between hosts there is room for the label of a tunnel.
const GAP = { bridges: 14, hosts: 76, rows: 24 };

const at = (id) => document.getElementById(id);
const pen = document.createElement("canvas").getContext("2d");
const lab = { boxes: [], containers: new Map(), hosts: new Map(), events: [] };
let cy, source, chosen, drawing;

function make(tag, properties, ...children) {
  const made = document.createElement(tag);
  for (const [key, value] of Object.entries(properties || {})) {
    if (key.includes("-") || key === "role") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

async function begin() {
  const answer = await fetch("/api/lab");
  if (answer.status === 401) return askWho();
  const told = await answer.json();
  Object.assign(lab, { told, boxes: told.boxes, containers: new Map(), hosts: new Map(), events: [] });
  for (const box of told.boxes) {
    lab.hosts.set(box.host, { silent: true, containers: {}, bridges: [], resources: [] });
    for (const [name, address] of box.containers) lab.containers.set(name, { name, address, box });
  }
  document.title = `${told.stack}: lab`;
  at("title").textContent = `Lab ${told.stack}`;
  at("logout").textContent = `Log out ${told.user}`;
  at("login").hidden = true;
  at("page").hidden = false;
  const legend = Object.entries(LEVELS).map(([level, [sign, word]]) => make("li", { className: level }, `${sign} ${word}`));
  at("legend").replaceChildren(...legend, make("li", {}, "★ holds the VIP"), make("li", {}, "≈ impaired"));
  fillList();
  drawGraph();
  listen();
}

function askWho() {
  source?.close();
  at("page").hidden = true;
  at("login").hidden = false;
  at("user").focus();
}

function listen() {
  source?.close();
  source = new EventSource("/api/events");
  const on = (what, handle) => source.addEventListener(what, (message) => {
    handle(JSON.parse(message.data));
    later();
  });
  const host = (told) => lab.hosts.get(told.host);
  source.onopen = () => {
    lab.events = [];
    at("link").textContent = "live";
    at("link").className = "";
  };
  source.onerror = async () => {
    at("link").textContent = "connection lost";
    at("link").className = "lost";
    for (const each of lab.hosts.values()) each.silent = true;
    later();
    if (source.readyState !== EventSource.CLOSED) return;
    const answer = await fetch("/api/lab").catch(() => null);
    if (answer?.status === 401) askWho();
    else setTimeout(listen, 2000);
  };
  on("host", (told) => {
    Object.assign(host(told), told);
    lab.events = lab.events.filter((each) => each.host !== told.host);
    for (const each of told.events) lab.events.push({ ...each, host: told.host });
  });
  on("silent", (told) => Object.assign(host(told), { silent: true, containers: {} }));
  on("container", (told) => { host(told).containers[told.told.name] = told.told; });
  on("gone", (told) => { delete host(told).containers[told.told.name]; });
  on("bridges", (told) => { host(told).bridges = told.told; });
  on("resources", (told) => { host(told).resources = told.told; });
  on("event", (told) => {
    lab.events.push({ ...told.told, host: told.host });
    if (chosen === told.told.subject) showLogs(chosen);
  });
}

// However many messages come, all is shown once a frame.
function later() {
  drawing ||= requestAnimationFrame(() => {
    drawing = null;
    show();
  });
}

function resourcesOf(name) {
  const host = lab.hosts.get(lab.containers.get(name).box.host);
  return host.resources.filter((each) => each.container === name);
}

function state(name) {
  const { box } = lab.containers.get(name);
  const host = lab.hosts.get(box.host);
  if (host.silent) return { level: "unknown", faults: [], status: "unknown", programs: [], ports: [] };
  const told = host.containers[name];
  if (!told) return { level: "broken", faults: [["the container is gone", lab.told.again]], status: "gone", programs: [], ports: [] };
  if (told.level !== "works") return told;
  const changed = resourcesOf(name).filter((each) => each.reason);
  if (!changed.length) return told;
  const failed = changed.some((each) => CHECKS.includes(each.operation));
  return { ...told, level: failed ? "broken" : "drift", faults: changed.map((each) => [each.reason, each.mend]) };
}

function show() {
  const counts = {};
  let holder = "";
  cy?.startBatch();
  for (const name of lab.containers.keys()) {
    const now = state(name);
    counts[now.level] = (counts[now.level] || 0) + 1;
    if (now.holds_vip) holder = name;
    showContainer(name, now);
  }
  showHolder(holder);
  cy?.endBatch();
  const words = Object.keys(LEVELS).filter((level) => counts[level]);
  at("summary").replaceChildren(...words.map((level) => make("span", { className: level }, `${LEVELS[level][0]} ${counts[level]} ${LEVELS[level][1]}  `)));
  at("vip").textContent = holder ? `★ VIP ${lab.told.vip.address} at ${holder}` : "";
  showHosts();
  showEvents();
  if (chosen) showDetails();
}

function label(name, now) {
  return `${LEVELS[now.level][0]} ${name}${now.holds_vip ? " ★" : ""}${now.impaired ? " ≈" : ""}`;
}

function showContainer(name, now) {
  const { button, address } = lab.containers.get(name);
  const text = label(name, now);
  if (button.textContent !== text || button.dataset.level !== now.level) {
    button.textContent = text;
    button.dataset.level = now.level;
    button.className = now.level;
    button.setAttribute("aria-label", `${name}: ${LEVELS[now.level][1]}`);
  }
  const node = cy?.getElementById(`container ${name}`);
  if (node && (node.data("level") !== now.level || node.data("label") !== `${text}\n${address}`)) {
    node.data({ level: now.level, label: `${text}\n${address}`, impaired: now.impaired ? "yes" : "no" });
  }
}

function showHolder(holder) {
  if (!cy?.getElementById("vip").length || cy.scratch("holder") === holder) return;
  cy.scratch("holder", holder);
  cy.getElementById("held").remove();
  if (holder) cy.add({ data: { id: "held", source: "vip", target: `container ${holder}`, kind: "vip" } });
}

function showHosts() {
  at("hosts").replaceChildren(...[...lab.hosts].map(([name, host]) => {
    const faults = host.bridges.flatMap((bridge) => bridge.faults);
    const level = host.silent ? "unknown" : faults.length ? "broken" : "works";
    const pressed = String(chosen === `host ${name}`);
    return make("li", {}, make("button", { type: "button", className: level, "aria-pressed": pressed, onclick: () => choose(`host ${name}`) }, `${LEVELS[level][0]} ${name}`));
  }));
}

function showEvents() {
  const events = [...lab.events].sort((one, other) => other.time - one.time).slice(0, SHOWN_EVENTS);
  const key = (each) => `${each.time} ${each.subject} ${each.text}`;
  const list = at("events");
  const there = new Map([...list.children].map((each) => [each.dataset.key, each]));
  const wanted = events.map((each) => there.get(key(each)) || eventRow(each, key(each)));
  if (wanted.length !== list.children.length || wanted.some((each, place) => each !== list.children[place])) list.replaceChildren(...wanted);
}

function eventRow(each, key) {
  const when = new Date(each.time * 1000);
  const level = LEVELS[each.kind] ? each.kind : ["ended", "killed"].includes(each.kind) ? "broken" : "";
  const row = make("li", { className: level },
    make("time", { dateTime: when.toISOString(), title: when.toLocaleString() }, when.toLocaleTimeString()),
    make("span", { "aria-hidden": "true" }, KINDS[each.kind] || "·"),
    make("span", {}, each.subject), make("span", {}, each.text));
  row.dataset.key = key;
  row.dataset.kind = each.kind;
  row.dataset.subject = each.subject;
  return row;
}

function fillList() {
  at("list").replaceChildren(...[...lab.containers.values()].map((each) => {
    each.button = make("button", { type: "button", "aria-pressed": "false", onclick: () => choose(each.name) }, each.name);
    each.button.dataset.name = each.name;
    return make("li", {}, each.button);
  }));
}

function choose(what) {
  chosen = what;
  for (const each of lab.containers.values()) each.button.setAttribute("aria-pressed", String(each.name === what));
  cy?.nodes().unselect();
  cy?.getElementById(`container ${what}`).select();
  at("details").hidden = !what;
  if (!what) return;
  at("details").replaceChildren();
  uncover(what);
  showDetails();
  at("details").focus();
  if (lab.containers.has(what)) showLogs(what);
  later();
}

// The details lie over a part of the graph.
function uncover(name) {
  const node = cy?.getElementById(`container ${name}`);
  if (!node?.length) return;
  const [details, graph] = [at("details"), at("graph")].map((each) => each.getBoundingClientRect());
  const over = node.renderedBoundingBox().x2 + graph.left + 20 - details.left;
  if (details.top < graph.bottom && over > 0) cy.panBy({ x: -over, y: 0 });
}

function section(title, content) {
  return content ? [make("h3", {}, title), content] : [];
}

function table(head, rows) {
  if (!rows.length) return null;
  const cells = (kind, row) => make("tr", {}, ...row.map((cell) => make(kind, {}, cell)));
  const titles = head.some(Boolean) ? make("thead", {}, cells("th", head)) : null;
  return make("table", {}, ...(titles ? [titles] : []), make("tbody", {}, ...rows.map((row) => cells("td", row))));
}

function faultList(faults) {
  return faults.map(([reason, mend]) => make("div", { className: "fault" }, reason, ...(mend ? [make("br"), "to mend it: ", make("code", {}, mend)] : [])));
}

function showDetails() {
  const parts = chosen.startsWith("host ") ? hostDetails(chosen.slice(5)) : containerDetails(chosen);
  const logs = at("details").querySelector("#logs") || make("div", { id: "logs" });
  const text = parts.map((part) => part.outerHTML).join("");
  // What is read, or selected, stays as it is unless something has changed.
  if (at("details").dataset.shown === text && at("details").firstChild) return;
  at("details").dataset.shown = text;
  const close = make("button", { type: "button", className: "close", "aria-label": "Close", onclick: () => choose(null) }, "✕");
  at("details").replaceChildren(close, ...parts, ...(chosen.startsWith("host ") ? [] : [logs]));
}

function containerDetails(name) {
  const now = state(name);
  const { address, box } = lab.containers.get(name);
  const near = (from, to) => lab.told.needs.filter((line) => line[from] === box.key).map((line) => lab.boxes.find((each) => each.key === line[to]).role);
  const facts = [
    ["role", box.role], ["address", address], ["host", box.host], ["bridge", `${box.bridge}, ${lab.told.networks[box.bridge]}`],
    ["state", now.status + (now.status === "running" ? ` since ${new Date(now.started).toLocaleString()}` : "")],
    ...(now.holds_vip ? [["VIP", `${lab.told.vip.address}, ${lab.told.vip.name}`]] : []),
    ...(now.impaired ? [["impaired", now.impaired]] : []),
    ["needs", near(0, 1).join(", ") || "none but DNS and Puppet"], ["needed by", near(1, 0).join(", ") || "none"],
  ];
  const links = (lab.told.endpoints[name] || []).map((url) => make("li", {}, /^https?:/.test(url) ? make("a", { href: url, rel: "noreferrer", target: "_blank" }, url) : url));
  return [
    make("h2", { className: now.level }, `${label(name, now)}: ${LEVELS[now.level][1]}`),
    ...faultList(now.faults),
    table(["", ""], facts),
    ...section("Programs", table(["program", "state", ""], now.programs)),
    ...section("Ports", table(["interface", "on", "address", "Ethernet"], now.ports)),
    ...section("Endpoints", links.length ? make("ul", {}, ...links) : null),
    ...section("Resources", table(["what", "state"], resourcesOf(name).map((each) => [each.operation, each.reason || "as it was set up"]))),
  ];
}

function hostDetails(name) {
  const host = lab.hosts.get(name);
  const rows = host.bridges.map((bridge) => [bridge.name, bridge.network, bridge.address, bridge.joined_by ? `${bridge.joined_by} to ${bridge.peers.join(", ") || "a segment"}` : ""]);
  const other = host.resources.filter((each) => !lab.containers.has(each.container));
  return [
    make("h2", {}, `Host ${name}`),
    ...(host.silent ? faultList([["its keeper doesn't answer", lab.told.again]]) : []),
    ...faultList(host.bridges.flatMap((bridge) => bridge.faults.map(([reason, mend]) => [`${bridge.name}: ${reason}`, mend]))),
    ...section("Bridges", table(["bridge", "network", "host's address", "joined by"], rows)),
    ...section("Resources", table(["what", "of", "state"], other.map((each) => [each.operation, each.subject, each.reason || "as it was set up"]))),
  ];
}

async function showLogs(name) {
  const answer = await fetch(`/api/logs/${encodeURIComponent(name)}`).catch(() => null);
  const told = answer?.ok ? await answer.json() : {};
  const place = at("details").querySelector("#logs");
  if (chosen !== name || !place) return;
  const logs = Object.entries(told).flatMap(([program, lines]) => {
    const text = make("pre", { tabIndex: 0, "aria-label": `Log of ${program}` }, lines.join("\n"));
    return [make("h3", {}, program === "container" ? "Process 1" : `Log: ${program}`), text];
  });
  const again = make("button", { type: "button", onclick: () => showLogs(name) }, "Read the logs again");
  place.replaceChildren(...logs, again);
  for (const text of place.querySelectorAll("pre")) text.scrollTop = text.scrollHeight;
}

// Lays the boxes of each bridge out by who needs whom; the containers of one are a grid. Hosts stand in rows. Of some ways
// to do it, the one is taken in which all is largest.
function places() {
  const area = at("graph").getBoundingClientRect();
  let best, largest = 0;
  for (const rankdir of ["LR", "TB"]) {
    for (const wide of [0.15, 0.4, 1, 2]) {
      const hosts = [...lab.hosts.keys()].map((host) => hostBlock(host, rankdir, wide));
      for (let across = 1; across <= hosts.length; across += 1) {
        const rows = [];
        for (let first = 0; first < hosts.length; first += across) rows.push(hosts.slice(first, first + across));
        const all = lined(rows.map((row) => lined(row, "x", GAP.hosts, 0.5)), "y", GAP.rows, 0);
        const beside = rows.length > 1 ? GAP.hosts : 0;
        const scale = Math.min(area.width / (all.width + beside), area.height / (all.height + VIP.gap + VIP.height));
        if (scale > largest) [best, largest] = [{ rows, boxes: all.boxes }, scale];
      }
    }
  }
  return best;
}

function hostBlock(host, rankdir, wide) {
  const mine = lab.boxes.filter((box) => box.host === host);
  const bridges = Object.keys(lab.told.networks).filter((bridge) => mine.some((box) => box.bridge === bridge));
  const blocks = bridges.map((bridge) => framed(laidOut(mine.filter((box) => box.bridge === bridge), rankdir, wide), PADDING.bridge, bridgeLabel(bridge)));
  return { host, ...framed(lined(blocks, "y", GAP.bridges, 0.5), PADDING.host, `host ${host}`) };
}

function laidOut(boxes, rankdir, wide) {
  const graph = new dagre.graphlib.Graph({ compound: true });
  graph.setGraph({ rankdir, nodesep: 14, edgesep: 8, ranksep: 36 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const box of boxes) {
    const columns = Math.max(1, Math.round(Math.sqrt(box.containers.length * wide)));
    const rows = Math.ceil(box.containers.length / columns);
    // A name isn't broken into lines.
    const cell = Math.max(NODE.width, ...[box.role, ...box.containers.map(([name]) => name)].map((text) => widthOf(text) + 4));
    graph.setNode(box.key, { key: box.key, columns, cell, width: columns * (cell + NODE.gap) + 20, height: rows * (NODE.height + NODE.gap) + 40 });
    graph.setNode("host", {});
    graph.setNode("bridge", {});
    graph.setParent("bridge", "host");
    graph.setParent(box.key, "bridge");
  }
  for (const [one, other] of lab.told.needs) if (graph.hasNode(one) && graph.hasNode(other)) graph.setEdge(one, other);
  dagre.layout(graph);
  const placed = boxes.map((box) => graph.node(box.key));
  const [left, top] = [Math.min(...placed.map((box) => box.x - box.width / 2)), Math.min(...placed.map((box) => box.y - box.height / 2))];
  return {
    width: Math.max(...placed.map((box) => box.x + box.width / 2)) - left,
    height: Math.max(...placed.map((box) => box.y + box.height / 2)) - top,
    boxes: moved(placed, -left, -top),
  };
}

function moved(boxes, x, y) {
  return boxes.map((box) => ({ ...box, x: box.x + x, y: box.y + y }));
}

// Puts blocks side by side, or one below the other.
function lined(blocks, along, gap, align) {
  const [length, breadth] = along === "x" ? ["width", "height"] : ["height", "width"];
  const broadest = Math.max(...blocks.map((block) => block[breadth]));
  const boxes = [];
  let end = -gap;
  for (const block of blocks) {
    const [begin, aside] = [end + gap, align * (broadest - block[breadth])];
    boxes.push(...(along === "x" ? moved(block.boxes, begin, aside) : moved(block.boxes, aside, begin)));
    end = begin + block[length];
  }
  return { boxes, [length]: end, [breadth]: broadest };
}

// Leaves the room around a block that Cytoscape's frame and its label take.
function framed(block, padding, text) {
  const width = Math.max(block.width + 2 * padding, widthOf(text));
  return { width, height: block.height + 2 * padding + LABEL, boxes: moved(block.boxes, (width - block.width) / 2, padding + LABEL) };
}

function widthOf(text) {
  pen.font = `${FONT["font-size"]}px ${FONT["font-family"]}`;
  return pen.measureText(text).width;
}

function bridgeLabel(bridge) {
  return `${bridge}, ${lab.told.networks[bridge]}`;
}

function drawGraph() {
  const best = places();
  const boxes = new Map(best.boxes.map((box) => [box.key, box]));
  const holder = lab.boxes.find((box) => box.role === "haproxy");
  const position = holder && { x: boxes.get(holder.key).x, y: -VIP.gap - VIP.height / 2 };
  const elements = holder ? [{ data: { id: "vip", kind: "vip", label: `VIP ${lab.told.vip.address}\n${lab.told.vip.name}` }, position }] : [];
  const bridges = new Set();
  for (const host of lab.hosts.keys()) elements.push({ data: { id: `host ${host}`, kind: "host", label: `host ${host}` } });
  for (const box of lab.boxes) {
    const bridge = `bridge ${box.host} ${box.bridge}`;
    if (!bridges.has(bridge)) elements.push({ data: { id: bridge, name: box.bridge, parent: `host ${box.host}`, kind: "bridge", label: bridgeLabel(box.bridge) } });
    bridges.add(bridge);
    elements.push({ data: { id: box.key, parent: bridge, kind: "box", label: box.role } });
    const { x, y, width, height, columns, cell } = boxes.get(box.key);
    box.containers.forEach(([name, address], number) => elements.push({
      data: { id: `container ${name}`, name, parent: box.key, kind: "container", level: "unknown", impaired: "no", width: cell, room: cell - 8, label: `? ${name}\n${address}` },
      position: {
        x: x - width / 2 + 10 + (number % columns + 0.5) * (cell + NODE.gap),
        y: y - height / 2 + 30 + (Math.floor(number / columns) + 0.5) * (NODE.height + NODE.gap),
      },
    }));
  }
  for (const [one, other, own] of lab.told.needs) elements.push({ data: { id: `${one} ${other}`, source: one, target: other, kind: own ? "own" : "need" } });
  cy?.destroy();
  cy = cytoscape({
    container: at("graph"), elements, style: style(), layout: { name: "preset", fit: false },
    minZoom: 0.1, maxZoom: 3, autoungrabify: true, boxSelectionEnabled: false, textureOnViewport: true, pixelRatio: Math.min(devicePixelRatio, 2),
  });
  drawTunnels(best.rows);
  cy.fit(undefined, 15);
  cy.on("tap", "node[kind='container']", (event) => choose(event.target.data("name")));
  cy.on("tap", "node[kind='host']", (event) => choose(event.target.id()));
  later();
}

// That a bridge is one on several hosts, a line to the host before says, or from the first of a row to the row above. Its
// label has the room beside the host for itself: a node, since the line's own would lie below other lines.
function drawTunnels(rows) {
  const before = new Map();
  rows.forEach((hosts, row) => hosts.forEach(({ host }) => cy.getElementById(`host ${host}`).children().forEach((bridge) => {
    const known = before.get(bridge.data("name"));
    if (known) cy.add(tunnel(known.row === row ? known.last : known.first, bridge));
    before.set(bridge.data("name"), { row, first: known?.row === row ? known.first : bridge, last: bridge });
  })));
}

function tunnel(from, to) {
  const id = `joined ${to.id()}`;
  const start = from.position();
  const label = { x: to.parent().boundingBox({ includeLabels: false }).x1 - GAP.hosts / 2, y: to.position().y };
  const [x, y] = [label.x - start.x, label.y - start.y];
  const length = Math.hypot(x, y);
  // It leaves its bridge sideways, and bends beside the other host.
  const bend = Math.abs(y) < 1 ? {} : { weight: (x / length) ** 2, distance: -x * y / length };
  return [
    { data: { id, kind: "joined", label: "joined" }, position: label },
    { data: { id: `${id} from`, source: from.id(), target: id, kind: "tunnel", ...bend } },
    { data: { id: `${id} to`, source: id, target: to.id(), kind: "tunnel" } },
  ];
}

function style() {
  const all = getComputedStyle(document.documentElement);
  const colour = (name) => all.getPropertyValue(`--${name}`).trim();
  const text = { label: "data(label)", color: colour("text"), ...FONT, "min-zoomed-font-size": 4 };
  const group = { ...text, "text-valign": "top", "text-halign": "center", "border-width": 1, "border-color": colour("line"), shape: "round-rectangle" };
  const levels = Object.keys(LEVELS).map((level) => ({
    selector: `node[level='${level}']`,
    style: { "background-color": colour(`${level}-fill`), "border-color": colour(level), "border-width": level === "broken" ? 5 : 2, "border-style": level === "unknown" ? "dotted" : level === "broken" ? "double" : "solid", shape: level === "broken" ? "cut-rectangle" : "round-rectangle" },
  }));
  const line = { width: 1.5, "line-color": colour("faint"), "target-arrow-color": colour("faint"), "target-arrow-shape": "triangle", "curve-style": "bezier", "arrow-scale": 0.9 };
  return [
    { selector: "node[kind='container']", style: { ...text, width: "data(width)", height: NODE.height, "text-wrap": "wrap", "text-max-width": "data(room)", "text-valign": "center" } },
    ...levels,
    { selector: "node[impaired='yes']", style: { "border-style": "dashed", "border-width": 4 } },
    { selector: "node:selected", style: { "outline-width": 3, "outline-color": colour("link"), "outline-offset": 2 } },
    { selector: "node[kind='host']", style: { ...group, "background-color": colour("page"), padding: PADDING.host } },
    { selector: "node[kind='bridge']", style: { ...group, "background-color": colour("panel"), padding: PADDING.bridge } },
    { selector: "node[kind='box']", style: { ...group, "background-color": colour("page"), padding: PADDING.box } },
    { selector: "node[kind='vip']", style: { ...text, width: VIP.width, height: VIP.height, "text-wrap": "wrap", "text-valign": "center", shape: "round-rectangle", "background-color": colour("page"), "border-width": 2, "border-color": colour("text") } },
    { selector: "edge", style: line },
    { selector: "edge[kind='own']", style: { "line-style": "dashed" } },
    { selector: "edge[kind='vip']", style: { width: 4, "line-color": colour("text"), "target-arrow-color": colour("text") } },
    { selector: "edge[kind='tunnel']", style: { width: 3, "line-style": "dotted", "target-arrow-shape": "none" } },
    { selector: "edge[weight]", style: { "curve-style": "segments", "source-endpoint": "outside-to-node", "edge-distances": "node-position", "segment-weights": "data(weight)", "segment-distances": "data(distance)" } },
    { selector: "node[kind='joined']", style: { ...text, width: 1, height: 1, "background-opacity": 0, events: "no", "text-valign": "center", "text-background-color": colour("page"), "text-background-opacity": 1, "text-background-padding": 4, "z-compound-depth": "top" } },
  ];
}

at("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  at("refusal").textContent = "";
  const body = JSON.stringify({ user: at("user").value, password: at("password").value });
  const answer = await fetch("/api/login", { method: "POST", headers: { "Content-Type": "application/json" }, body }).catch(() => null);
  at("password").value = "";
  if (answer?.status === 204) begin();
  else at("refusal").textContent = (await answer?.json().catch(() => null))?.reason || "the server doesn't answer";
});
at("logout").addEventListener("click", async () => {
  await fetch("/api/logout", { method: "POST" });
  askWho();
});
at("filter").addEventListener("input", () => {
  const wanted = at("filter").value.toLowerCase();
  for (const { name, box, button } of lab.containers.values()) button.parentElement.hidden = !`${name} ${box.role}`.toLowerCase().includes(wanted);
});
at("list").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const buttons = [...at("list").querySelectorAll("li:not([hidden]) button")];
  buttons[buttons.indexOf(document.activeElement) + step]?.focus();
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !chosen) return;
  const back = lab.containers.get(chosen)?.button;
  choose(null);
  back?.focus();
});
for (const button of document.querySelectorAll("#zoom button")) {
  button.addEventListener("click", () => {
    const by = Number(button.dataset.zoom);
    if (by) cy.zoom({ level: cy.zoom() * by, renderedPosition: { x: cy.width() / 2, y: cy.height() / 2 } });
    else cy.fit(undefined, 15);
  });
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => cy?.style(style()));
let resized;
new ResizeObserver(() => {
  clearTimeout(resized);
  resized = setTimeout(() => { cy?.resize(); cy?.fit(undefined, 15); }, 150);
}).observe(at("graph"));
begin();
