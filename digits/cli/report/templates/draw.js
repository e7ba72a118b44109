// A board to draw on, and the answers of the page's networks. It frames as digits/cli/framing.py,
// resamples as Pillow and computes as ONNX: tests compare the answers with those of `digits predict`.
"use strict";
(() => {
  const INK = 0.2;   // a pixel has ink if it has more than this share of full ink
  const STEP = 10;   // pixels of the canvas that an arrow key moves the pen

  const sum = values => values.reduce((a, b) => a + b, 0);
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
  const transposed = rows => rows[0].map((_, x) => rows.map(row => row[x]));
  // Half to even, as Python and NumPy round.
  const round = value => Math.abs(value) % 1 === 0.5 ? 2 * Math.round(value / 2) : Math.round(value);

  const decoded = numbers => new Float32Array(Uint8Array.from(atob(numbers), letter => letter.charCodeAt(0)).buffer);

  // Each takes one image's values, and the tensors that belong to the operation.
  const OPERATIONS = {
    Add: (vector, offsets) => vector.map((value, i) => value + offsets[i]),
    Flatten: vector => vector,
    Gemm: (vector, weights, bias) => {
      const sums = Float64Array.from(bias), columns = bias.length;
      vector.forEach((value, row) => {
        for (let column = 0; column < columns; column++) sums[column] += value * weights[row * columns + column];
      });
      return Float32Array.from(sums);
    },
    Mul: (vector, factors) => vector.map((value, i) => value * factors[i % factors.length]),
    Relu: vector => vector.map(value => Math.max(value, 0)),
  };

  const logits = (network, image) => {
    const vectors = {[network.input]: Float32Array.from(image)};
    for (const {name, inputs: [first, ...others], output} of network.operations)
      vectors[output] = OPERATIONS[name](vectors[first], ...others.map(tensor => network.tensors[tensor]));
    return Array.from(vectors[network.output]);
  };

  const softmax = values => {
    const highest = Math.max(...values), powers = values.map(value => Math.exp(value - highest));
    return powers.map(power => power / sum(powers));
  };

  const bicubic = x => {
    x = Math.abs(x);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * -0.5;
    return 0;
  };

  // The rows resampled to `length` values each, in float32.
  const resizedRows = (rows, length) => {
    const before = rows[0].length, scale = before / length, filter = Math.max(scale, 1);
    const taps = Array.from({length}, (_, i) => {
      const centre = (i + 0.5) * scale;
      const first = Math.max(Math.trunc(centre - 2 * filter + 0.5), 0);
      const last = Math.min(Math.trunc(centre + 2 * filter + 0.5), before);
      const weights = Array.from({length: last - first}, (_, j) => bicubic((first + j - centre + 0.5) / filter));
      return {first, weights, total: sum(weights)};
    });
    return rows.map(row => taps.map(({first, weights, total}) =>
      Math.fround(sum(weights.map((weight, j) => weight / total * row[first + j])))));
  };

  // The rows that have ink: the first, and the one after the last.
  const extent = rows => {
    const inked = rows.map(row => row.some(value => value > INK));
    return [inked.indexOf(true), inked.lastIndexOf(true) + 1];
  };
  const centreOfMass = rows => sum(rows.map((row, y) => (y + 0.5) * sum(row))) / sum(rows.map(sum));

  // Rows of ink in 0-1 as the networks take them, and what was done, in words; null if there is no ink.
  const framed = (ink, {height, width, full_ink, box, centring, centre, background}) => {
    const [top, bottom] = extent(ink), [left, right] = extent(transposed(ink));
    if (top < 0) return null;
    const tall = bottom - top, wide = right - left, scale = box / Math.max(tall, wide);
    const h = clamp(round(tall * scale), 1, height), w = clamp(round(wide * scale), 1, width);
    const patch = ink.slice(top, bottom).map(row => row.slice(left, right).map(Math.fround));
    const resized = transposed(resizedRows(transposed(resizedRows(patch, w)), h));
    const most = Math.max(...resized.flat());
    const small = resized.map(row => row.map(value => Math.fround(clamp(value, 0, 1) / Math.min(most, 1))));
    const mass = centring === "mass";
    const own = mass ? [centreOfMass(small), centreOfMass(transposed(small))] : [h / 2, w / 2];
    const row = clamp(round(centre[0] - own[0]), 0, height - h);
    const column = clamp(round(centre[1] - own[1]), 0, width - w);
    const image = Array(height * width).fill(background);
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++)
        image[(row + y) * width + column + x] = round(background + Math.fround(small[y][x] * (full_ink - background)));
    const place = mass ? "centre of mass" : "middle";
    return {image, note: `ink of ${wide} × ${tall} scaled to ${w} × ${h}, placed by its ${place}`};
  };

  const $ = id => document.getElementById(id);
  const {input, models} = JSON.parse($("networks").textContent);
  for (const {network} of models)
    for (const name in network.tensors) network.tensors[name] = decoded(network.tensors[name]);
  const canvas = $("canvas"), pen = $("pen"), size = canvas.width;
  // Of a stroke, in pixels of the canvas: scaled it is about two pixels wide, as in the training images.
  const width = Math.max(22, 450 / input.box);
  pen.style.width = pen.style.height = `${width / size * 100}%`;
  const context = canvas.getContext("2d", {willReadFrequently: true});
  Object.assign(context, {lineWidth: width, lineCap: "round", fillStyle: "#fff"});
  let place = {x: size / 2, y: size / 2}, down = false, image = null;

  const stroke = to => {
    context.beginPath();
    context.moveTo(place.x, place.y);
    context.lineTo(to.x + 0.001, to.y); // a line without length would not be drawn
    context.stroke();
    place = to;
  };

  // Paint values from -1 to 1: -1 is the colour `negative`, 0 is white, 1 is the colour `positive`.
  const paint = (target, shares, positive, negative) => {
    const pixels = new ImageData(input.width, input.height);
    shares.forEach((share, i) =>
      pixels.data.set([...(share < 0 ? negative : positive), 255 * Math.abs(share)], 4 * i));
    [target.width, target.height] = [input.width, input.height];
    target.getContext("2d").putImageData(pixels, 0, 0);
  };

  // What each pixel adds to the linear model's logit of a class, compared with the mean of all classes.
  const explain = () => {
    const linear = models.find(model => model.linear);
    $("evidence").hidden = !image || !linear;
    if ($("evidence").hidden) return;
    const answers = logits(linear.network, image), chosen = $("evidence-class").value;
    const label = chosen === "" ? answers.indexOf(Math.max(...answers)) : Number(chosen);
    const {"scale/weights": [scale], "logits/weights": weights} = linear.network.tensors;
    const evidence = image.map((value, i) => {
      const ofPixel = weights.slice(i * answers.length, (i + 1) * answers.length);
      return value * scale * (ofPixel[label] - sum(ofPixel) / answers.length);
    });
    const most = Math.max(...evidence.map(Math.abs)) || 1, total = sum(evidence);
    paint($("evidence-picture"), evidence.map(value => value / most), [84, 39, 136], [179, 88, 6]);
    $("evidence-text").textContent = `In all, the drawing's pixels ${total < 0 ? "lower" : "raise"} the logit of ` +
      `“${input.class_names[label]}” by ${Math.abs(total).toFixed(2)}, compared with the mean of all classes.`;
  };

  const answer = () => {
    const {data} = context.getImageData(0, 0, size, size);
    const ink = Array.from({length: size}, (_, y) =>
      Array.from({length: size}, (_, x) => 1 - data[4 * (y * size + x)] / 255));
    const found = framed(ink, input);
    image = found && found.image;
    const said = [];
    for (const {name, network} of models) {
      const probabilities = image ? softmax(logits(network, image)) : [];
      const best = probabilities.indexOf(Math.max(...probabilities)), label = image ? input.class_names[best] : "–";
      document.querySelectorAll(`[data-probability-of="${name}"]`).forEach((cell, i) => {
        cell.classList.toggle("best", i === best);
        cell.style.setProperty("--share", probabilities[i] ?? 0);
        cell.textContent = image ? probabilities[i].toFixed(3) : "–";
      });
      document.querySelector(`[data-answer-of="${name}"]`).textContent = label;
      if (image) said.push(`${name}: ${label}, ${(100 * probabilities[best]).toFixed(0)} %`);
    }
    $("said").textContent = said.join("; ") || "Nothing is drawn yet: no ink, no answer.";
    $("seen").hidden = !image;
    if (image) {
      paint($("seen-picture"), image.map(value => value / input.pixel_maximum), [0, 0, 0]);
      $("seen-text").textContent = found.note + ".";
    }
    explain();
    pen.style.left = `${place.x / size * 100}%`;
    pen.style.top = `${place.y / size * 100}%`;
    pen.classList.toggle("down", down);
  };

  const clear = () => {
    context.fillRect(0, 0, size, size);
    down = false;
    answer();
  };

  const at = event => {
    const box = canvas.getBoundingClientRect();
    return {x: (event.clientX - box.left) / box.width * size, y: (event.clientY - box.top) / box.height * size};
  };
  // Of several fingers the first alone draws.
  canvas.addEventListener("pointerdown", event => {
    if (!event.isPrimary || event.button) return;
    canvas.setPointerCapture(event.pointerId);
    place = at(event);
    stroke(place);
    answer();
  });
  canvas.addEventListener("pointermove", event => {
    if (!event.isPrimary || !canvas.hasPointerCapture(event.pointerId)) return;
    for (const passed of event.getCoalescedEvents?.() ?? [event]) stroke(at(passed));
    answer();
  });

  const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};
  canvas.addEventListener("keydown", event => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key in ARROWS) {
      const [x, y] = ARROWS[event.key], far = event.shiftKey ? STEP / 5 : STEP;
      const to = {x: clamp(place.x + far * x, 0, size), y: clamp(place.y + far * y, 0, size)};
      if (down) stroke(to);
      place = to;
    } else if (event.key === " ") {
      down = !down;
      if (down) stroke(place);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      clear();
    } else {
      return;
    }
    event.preventDefault();
    $("pen-state").textContent = down ? "The pen is down." : "The pen is up.";
    answer();
  });
  $("clear").addEventListener("click", clear);
  $("evidence-class").addEventListener("change", explain);
  clear();
})();
