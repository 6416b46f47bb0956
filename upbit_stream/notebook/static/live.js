// The live view: draws what the kernel sends, and tells it whether anyone can see it (watch.js).

const SVG = "http://www.w3.org/2000/svg";

function make(tag, className, parent) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  parent?.append(made);
  return made;
}

// A change of the page costs; a comparison does not.
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function paint(node, className) {
  if (node.className !== className) node.className = className;
}

class Row {
  constructor(body) {
    this.line = make("tr", "", body);
    const cell = () => make("td", "", this.line);
    [this.code, this.price, this.change, this.turnover] = [cell(), cell(), cell(), cell()];
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 100 20");
    svg.setAttribute("preserveAspectRatio", "none");
    this.spark = document.createElementNS(SVG, "polyline");
    svg.append(this.spark);
    cell().append(svg);
    this.age = make("td", "quiet", this.line);
  }

  draw([code, price, change, turnover, age, tone], points) {
    write(this.code, code);
    write(this.price, price);
    paint(this.price, tone);
    write(this.change, change);
    paint(this.change, tone);
    write(this.turnover, turnover);
    write(this.age, age);
    if (this.spark.getAttribute("points") !== points) this.spark.setAttribute("points", points);
  }
}

class Table {
  constructor(parent, labels) {
    const table = make("table", "", parent);
    const titles = make("tr", "", make("thead", "", table));
    for (const name of ["code", "price", "change", "turnover", "spark", "age"])
      make("th", "", titles).textContent = labels[name];
    this.body = make("tbody", "", table);
    this.more = make("div", "quiet", parent);
    this.rows = [];
  }

  draw(rows, sparks, more) {
    while (this.rows.length < rows.length) this.rows.push(new Row(this.body));
    while (this.rows.length > rows.length) this.rows.pop().line.remove();
    rows.forEach((row, place) => this.rows[place].draw(row, sparks[row[0]] ?? ""));
    write(this.more, more);
  }
}

class Foot {
  constructor(parent, label, stop) {
    const foot = make("div", "foot", parent);
    this.state = make("span", "badge", foot);
    this.health = make("span", "badge", foot);
    this.facts = make("span", "quiet", foot);
    this.button = make("button", "", foot);
    this.button.type = "button";
    this.button.textContent = label;
    this.button.onclick = stop;
    this.problem = make("span", "problem", foot);
  }

  draw({ state, state_tone, health, health_tone, facts, problem, over }) {
    write(this.state, state);
    paint(this.state, `badge ${state_tone}`);
    write(this.health, health);
    paint(this.health, `badge ${health_tone}`);
    write(this.facts, facts);
    write(this.problem, problem);
    this.button.disabled = over;
  }
}

function render({ model, el }) {
  const view = nameOfView();
  const labels = model.get("_labels");
  const box = make("div", "upbit-live", el);
  const table = new Table(box, labels);
  const foot = new Foot(box, labels.stop, () => model.send({ view, stop: true }));

  let asked = false;
  const draw = () => {
    asked = false;
    table.draw(model.get("_rows"), model.get("_sparks"), model.get("_more"));
    foot.draw(model.get("_foot"));
  };
  // However many changes come: once a frame, and not at all while the page is hidden.
  const redraw = () => {
    if (!asked) {
      asked = true;
      requestAnimationFrame(draw);
    }
  };
  const names = ["_rows", "_sparks", "_more", "_foot"].map((name) => `change:${name}`);
  names.forEach((name) => model.on(name, redraw));
  draw();
  const unwatch = watch(box, (visible) => model.send({ view, visible }));
  return () => {
    names.forEach((name) => model.off(name, redraw));
    unwatch();
  };
}

export default { render };
