// Draw on the canvas; every network of the page answers. Framing is digits/cli/framing.py's, resampling
// Pillow's, and the operations are ONNX's: tests hold the answers to those of `digits predict`.
"use strict";
(() => {
  const INK = 0.2;    // share of what differs most from the background, over which a pixel has ink
  const PAPER = 32;   // differences of less are no ink but the paper
  const PEN = 22;     // the pen's width, in pixels of the canvas
  const STEP = 10;    // how far an arrow key moves it

  // Half to even, as Python and NumPy round.
  const round = value => {
    const down = Math.floor(value), rest = value - down;
    return rest < 0.5 || (rest === 0.5 && down % 2 === 0) ? down : down + 1;
  };
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  // ---- Networks -------------------------------------------------------------------------------

  const numbers = base64 => {
    const bytes = Uint8Array.from(atob(base64), character => character.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Float32Array.from({length: bytes.length / 4}, (_, at) => view.getFloat32(4 * at, true));
  };

  // A row vector times a matrix [rows, columns].
  const product = (values, matrix) => {
    const [rows, columns] = matrix.shape;
    const sums = new Float64Array(columns);
    for (let row = 0; row < rows; row++) {
      const value = values[row];
      if (value === 0) continue;
      const start = row * columns;
      for (let column = 0; column < columns; column++) sums[column] += value * matrix.values[start + column];
    }
    return Float32Array.from(sums);
  };
  const sum = (values, other) => values.map((value, at) => value + other.values[at % other.values.length]);

  // Each takes one image's values, and the tensors that belong to the operation.
  const OPERATIONS = {
    Add: sum,
    Flatten: values => values,
    Gemm: (values, weights, bias) => bias ? sum(product(values, weights), bias) : product(values, weights),
    MatMul: product,
    Mul: (values, factor) => values.map((value, at) => value * factor.values[at % factor.values.length]),
    Relu: values => values.map(value => Math.max(value, 0)),
  };

  class Network {
    constructor(described) {
      this.described = described;
      this.tensors = {};
      for (const [name, {shape, numbers: content}] of Object.entries(described.tensors))
        this.tensors[name] = {shape, values: numbers(content)};
    }
    logits(image) {
      const flowing = {[this.described.input]: Float32Array.from(image)};
      for (const {name, inputs, output} of this.described.operations) {
        const [first, ...rest] = inputs;
        flowing[output] = OPERATIONS[name](flowing[first], ...rest.map(tensor => this.tensors[tensor]));
      }
      return flowing[this.described.output];
    }
    // The one matrix of a linear network [pixels, classes] with the factor of its input; else null.
    get linear() {
      const kinds = this.described.operations.map(operation => operation.name).join();
      if (kinds !== "Mul,Flatten,Gemm") return null;
      const [scale, , gemm] = this.described.operations;
      return {weights: this.tensors[gemm.inputs[1]], scale: this.tensors[scale.inputs[1]].values[0]};
    }
  }

  const softmax = logits => {
    const top = Math.max(...logits), shares = Array.from(logits, value => Math.exp(value - top));
    const total = shares.reduce((a, b) => a + b, 0);
    return shares.map(value => value / total);
  };

  // ---- Framing --------------------------------------------------------------------------------

  const bicubic = x => {
    x = Math.abs(x);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * -0.5;
    return 0;
  };

  // For each place of the result: the first value that it is made of, and the weights of these.
  const coefficients = (from, to) => {
    const scale = from / to, filter = Math.max(scale, 1), support = 2 * filter;
    return Array.from({length: to}, (_, at) => {
      const centre = (at + 0.5) * scale;
      const first = Math.max(Math.trunc(centre - support + 0.5), 0);
      const last = Math.min(Math.trunc(centre + support + 0.5), from);
      const weights = [];
      for (let x = first; x < last; x++) weights.push(bicubic((x - centre + 0.5) / filter));
      const total = weights.reduce((a, b) => a + b, 0);
      return {first, weights: weights.map(weight => weight / total)};
    });
  };

  // One pass: `count` rows of values, each `stride` from the next, are made of those in `from`.
  const pass = (from, to, length, target, count, step, stride, toStep, toStride) => {
    coefficients(length, target).forEach(({first, weights}, at) => {
      for (let row = 0; row < count; row++) {
        let total = 0, place = row * stride + first * step;
        for (let tap = 0; tap < weights.length; tap++, place += step) total += weights[tap] * from[place];
        to[row * toStride + at * toStep] = total;
      }
    });
    return to;
  };

  // Along rows, then along columns; each pass is kept in float32.
  const resized = ({values, width, height}, toWidth, toHeight) => {
    const across = pass(values, new Float32Array(toWidth * height), width, toWidth, height, 1, width, 1, toWidth);
    return pass(across, new Float32Array(toWidth * toHeight), height, toHeight, toWidth, toWidth, 1, toWidth, 1);
  };

  const median = values => {
    const sorted = Float64Array.from(values).sort(), half = sorted.length >> 1;
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  };

  // Which rows, or columns, have ink: from the first to behind the last.
  const extent = flags => [flags.indexOf(true), flags.lastIndexOf(true) + 1];

  const centreOfMass = (values, width, height) => {
    let total = 0, row = 0, column = 0;
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const ink = values[y * width + x];
        total += ink;
        row += ink * (y + 0.5);
        column += ink * (x + 0.5);
      }
    return [row / total, column / total];
  };

  // Grey values 0-255 as the network takes them, and what was done, in words; null if there is no ink.
  const framed = (grey, width, height, to) => {
    const edge = [];
    for (let x = 0; x < width; x++) edge.push(grey[x], grey[(height - 1) * width + x]);
    for (let y = 0; y < height; y++) edge.push(grey[y * width], grey[y * width + width - 1]);
    const background = median(edge);
    let darker = 0, lighter = 0;
    for (const value of grey) {
      darker += Math.max(background - value, 0);
      lighter += Math.max(value - background, 0);
    }
    const sign = darker >= lighter ? -1 : 1;
    const ink = Float64Array.from(grey, value => Math.max(sign * (value - background), 0));
    const most = ink.reduce((a, b) => Math.max(a, b), 0);
    if (most < PAPER) return null;
    const columns = Array(width).fill(false), rows = Array(height).fill(false);
    ink.forEach((value, at) => {
      ink[at] = value / most;
      if (ink[at] > INK) columns[at % width] = rows[Math.floor(at / width)] = true;
    });
    const [left, right] = extent(columns), [top, bottom] = extent(rows);
    const wide = right - left, tall = bottom - top;
    const patch = new Float32Array(wide * tall);
    for (let y = 0; y < tall; y++)
      for (let x = 0; x < wide; x++) patch[y * wide + x] = ink[(top + y) * width + left + x];
    const scale = to.box / Math.max(tall, wide);
    const w = clamp(round(wide * scale), 1, to.width), h = clamp(round(tall * scale), 1, to.height);
    const small = resized({values: patch, width: wide, height: tall}, w, h).map(value => clamp(value, 0, 1));
    const full = small.reduce((a, b) => Math.max(a, b), 0);
    small.forEach((value, at) => { small[at] = value / full; });
    const mass = to.centring === "mass";
    const own = mass ? centreOfMass(small, w, h) : [h / 2, w / 2];
    const row = clamp(round(to.centre[0] - own[0]), 0, to.height - h);
    const column = clamp(round(to.centre[1] - own[1]), 0, to.width - w);
    const image = new Uint8Array(to.width * to.height);
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++)
        image[(row + y) * to.width + column + x] = round(Math.fround(small[y * w + x] * to.pixel_maximum));
    const note = `${sign < 0 ? "dark on light" : "light on dark"}; ink of ${wide} × ${tall} scaled to ` +
      `${w} × ${h}, placed by its ${mass ? "centre of mass" : "middle"}`;
    return {image, note};
  };

  // ---- The page -------------------------------------------------------------------------------

  const $ = id => document.getElementById(id);
  const data = JSON.parse($("networks").textContent);
  const networks = data.models.map(model => ({...model, network: model.network && new Network(model.network)}));
  const canvas = $("canvas"), pen = $("pen");
  const context = canvas.getContext("2d", {willReadFrequently: true});
  let last = null, finger = null, down = false, place = {x: canvas.width / 2, y: canvas.height / 2};

  const clear = () => {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    last = null;
    down = false;
    $("evidence-class").dataset.follow = "yes";
    showPen();
    answer();
  };

  const stroke = (from, to) => {
    context.fillStyle = context.strokeStyle = "#000";
    context.lineWidth = PEN;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y);
    context.stroke();
    context.beginPath(); // a line without length is not drawn
    context.arc(to.x, to.y, PEN / 2, 0, 2 * Math.PI);
    context.fill();
  };

  const showPen = () => {
    pen.style.left = `${place.x / canvas.width * 100}%`;
    pen.style.top = `${place.y / canvas.height * 100}%`;
    pen.classList.toggle("down", down);
    $("pen-state").textContent = down ? "The pen is down." : "The pen is up.";
  };

  // A picture of values in 0-1, dark where they are high.
  const paint = (target, width, height, colour) => {
    target.width = width;
    target.height = height;
    const surface = target.getContext("2d"), pixels = surface.createImageData(width, height);
    for (let at = 0; at < width * height; at++) pixels.data.set([...colour(at), 255], 4 * at);
    surface.putImageData(pixels, 0, 0);
  };

  const signed = share => { // ColorBrewer's PuOr, as in the pictures of the weights
    const at = (clamp(share, -1, 1) + 1) / 2 * (data.colours.length - 1), low = Math.floor(at);
    const high = Math.min(low + 1, data.colours.length - 1);
    return data.colours[low].map((value, channel) => Math.round(value + (data.colours[high][channel] - value) * (at - low)));
  };

  let seen = null; // what the linear network saw, and its answer
  const explain = () => {
    const figure = $("evidence");
    figure.hidden = !seen;
    if (!seen) return;
    const {image, takes, linear} = seen, classes = takes.class_names.length;
    const chosen = Number($("evidence-class").value);
    const evidence = Array.from(image, (value, pixel) => {
      const row = linear.weights.values.subarray(pixel * classes, (pixel + 1) * classes);
      const mean = row.reduce((a, b) => a + b, 0) / classes;
      return value * linear.scale * (row[chosen] - mean);
    });
    const most = evidence.reduce((a, b) => Math.max(a, Math.abs(b)), 0) || 1;
    paint($("evidence-picture"), takes.width, takes.height, at => signed(evidence[at] / most));
    const total = evidence.reduce((a, b) => a + b, 0), words = takes.class_names[chosen];
    $("evidence-text").textContent = `In all, the drawing's pixels speak ${total < 0 ? "against" : "for"} ` +
      `“${words}” with ${Math.abs(total).toFixed(2)} nats, compared with the mean of all classes.`;
  };

  const answer = () => {
    const {data: pixels} = context.getImageData(0, 0, canvas.width, canvas.height);
    const grey = Uint8Array.from({length: canvas.width * canvas.height}, (_, at) => pixels[4 * at]);
    const said = [];
    seen = null;
    let shown = null;
    for (const {name, takes, network} of networks) {
      const cells = document.querySelectorAll(`[data-probability-of="${CSS.escape(name)}"]`);
      const label = document.querySelector(`[data-answer-of="${CSS.escape(name)}"]`);
      const found = network && framed(grey, canvas.width, canvas.height, takes);
      const probabilities = found ? softmax(network.logits(found.image)) : [];
      const best = probabilities.indexOf(Math.max(...probabilities));
      cells.forEach((cell, at) => {
        cell.classList.toggle("best", at === best);
        cell.style.setProperty("--share", probabilities[at] ?? 0);
        cell.dataset.value = probabilities[at] ?? "";
        cell.lastElementChild.textContent = found ? probabilities[at].toFixed(3) : "–";
      });
      if (!label) continue;
      label.textContent = found ? takes.class_names[best] : "–";
      if (!found) continue;
      shown = {...found, takes};
      said.push(`${name}: ${takes.class_names[best]}, ${(100 * probabilities[best]).toFixed(0)} %`);
      const linear = network.linear;
      if (linear && !seen) {
        seen = {image: found.image, takes, linear};
        if ($("evidence-class").dataset.follow !== "no") $("evidence-class").value = best;
      }
    }
    $("said").textContent = said.join("; ") || "Nothing is drawn yet: no ink, no answer.";
    $("seen").hidden = !shown;
    if (shown) {
      const {image, takes, note} = shown;
      paint($("seen-picture"), takes.width, takes.height, at => Array(3).fill(255 - 255 * image[at] / takes.pixel_maximum));
      $("seen-text").textContent = note + ".";
    }
    explain();
  };

  // While the pointer moves, at most once for each frame that is shown.
  let waiting = false;
  const answerSoon = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      answer();
    });
  };

  const at = event => {
    const box = canvas.getBoundingClientRect();
    return {
      x: (event.clientX - box.left) / box.width * canvas.width,
      y: (event.clientY - box.top) / box.height * canvas.height,
    };
  };
  canvas.addEventListener("pointerdown", event => {
    if (event.button || last) return; // one pen at a time
    finger = event.pointerId;
    canvas.setPointerCapture(event.pointerId);
    last = place = at(event);
    stroke(last, last);
    showPen();
    answer();
  });
  canvas.addEventListener("pointermove", event => {
    if (!last || event.pointerId !== finger) return;
    const moved = event.getCoalescedEvents?.() ?? [];
    for (const each of moved.length ? moved : [event]) {
      place = at(each);
      stroke(last, place);
      last = place;
    }
    showPen();
    answerSoon();
  });
  for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, event => {
    if (event.pointerId !== finger) return;
    last = null;
    answer();
  });

  const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  canvas.addEventListener("keydown", event => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key in ARROWS) {
      const [x, y] = ARROWS[event.key], far = event.shiftKey ? STEP / 5 : STEP, from = place;
      place = {x: clamp(from.x + far * x, 0, canvas.width), y: clamp(from.y + far * y, 0, canvas.height)};
      if (down) stroke(from, place);
    } else if (event.key === " ") {
      down = !down;
      if (down) stroke(place, place);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      clear();
    } else {
      return;
    }
    event.preventDefault();
    showPen();
    answer();
  });
  $("clear").addEventListener("click", clear);
  $("evidence-class").addEventListener("change", event => {
    event.target.dataset.follow = "no";
    explain();
  });
  clear();
})();
