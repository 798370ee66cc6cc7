/* The forward pass of a network, for the operations of tinygan/app/export.py.

   An image (H, W, C) is a flat array: the number at row y, column x, channel c has the index (y W + x) C + c. A weight
   matrix (n_in, n_out) is a flat array too: the weight from input i to output j has the index i n_out + j. */

/* Return the number that the bits of a 16-bit float represent. It has 1 sign bit, 5 bits of exponent e, and 10 bits of
   fraction f. Its absolute value is (1 + f / 1024) 2^(e - 15), or (f / 1024) 2^-14 if e = 0. */
function halfToNumber(bits) {
  const exponent = (bits >> 10) & 31, fraction = (bits & 1023) / 1024;
  const size = exponent ? (1 + fraction) * 2 ** (exponent - 15) : fraction * 2 ** -14;
  return bits >> 15 ? -size : size;
}

/* Return the numbers of a base64 text of 16-bit floats, little-endian. */
function unpack(base64) {
  const bytes = atob(base64), numbers = new Float32Array(bytes.length / 2);
  for (let i = 0; i < numbers.length; i++) {
    numbers[i] = halfToNumber(bytes.charCodeAt(2 * i) | bytes.charCodeAt(2 * i + 1) << 8);
  }
  return numbers;
}

/* y = x W + b, that is  y[j] = b[j] + sum over i of x[i] W[i, j] */
function linear(x, weight, bias) {
  const y = Float32Array.from(bias), outputs = y.length;
  for (let i = 0; i < x.length; i++) {
    if (x[i] === 0) continue;  // after ReLU many inputs are 0
    for (let j = 0; j < outputs; j++) y[j] += x[i] * weight[i * outputs + j];
  }
  return y;
}

/* y[stride i + k - padding] += x[i] w[k]  for each pixel i of x and each position k in the filter w. i and k have a
   row and a column. So each pixel of x adds the filter, multiplied by its value, to a patch of y. x[i] is a vector of
   input channels, w[k] is a matrix, and their product is a vector of output channels. */
function convTranspose(x, [height, width, inputs], { weight, size: [kh, kw], bias, stride, padding, output_padding }) {
  const outputs = bias.length;
  const H = (height - 1) * stride[0] - 2 * padding[0] + kh + output_padding[0];
  const W = (width - 1) * stride[1] - 2 * padding[1] + kw + output_padding[1];
  const y = new Float32Array(H * W * outputs);
  for (let i = 0; i < y.length; i++) y[i] = bias[i % outputs];
  for (let pixel = 0; pixel < height * width; pixel++) {
    const top = Math.floor(pixel / width) * stride[0] - padding[0], left = pixel % width * stride[1] - padding[1];
    for (let tap = 0; tap < kh * kw; tap++) {
      const row = top + Math.floor(tap / kw), column = left + tap % kw;
      if (row < 0 || row >= H || column < 0 || column >= W) continue;
      const to = (row * W + column) * outputs;
      for (let c = 0; c < inputs; c++) {
        const value = x[pixel * inputs + c], from = (tap * inputs + c) * outputs;
        if (value === 0) continue;
        for (let d = 0; d < outputs; d++) y[to + d] += value * weight[from + d];
      }
    }
  }
  return [y, [H, W, outputs]];
}

/* Return an operation of export.py as a function (numbers, shape) -> [numbers, shape]. */
function layer(operation) {
  const [weight, bias] = [operation.weight, operation.bias].map(packed => packed && unpack(packed.half));
  const { slope } = operation;
  switch (operation.kind) {
    case "linear": return x => [linear(x, weight, bias), [bias.length]];
    case "reshape": return x => [x, operation.shape];
    case "conv_transpose": {
      const filters = { ...operation, weight, bias, size: operation.weight.shape };
      return (x, shape) => convTranspose(x, shape, filters);
    }
    case "leaky_relu": return (x, shape) => [x.map(value => Math.max(value, slope * value)), shape];
    case "tanh": return (x, shape) => [x.map(Math.tanh), shape];
  }
  throw new Error("no operation is called " + operation.kind);
}

/* Return a function that maps the input numbers of a network to its output numbers. */
function network(operations) {
  const layers = operations.map(layer);
  return input => layers.reduce(([x, shape], next) => next(x, shape), [Float32Array.from(input), [input.length]])[0];
}

/* Return G as a function (latent, label) -> image in [-1, 1], or point. The label is appended to the latent vector as
   a one-hot vector of length `classes`. */
function generatorOf({ operations, classes }) {
  const G = network(operations);
  return (latent, label) => G([...latent, ...Array.from({ length: classes }, (_, i) => i === label ? 1 : 0)]);
}

/* Return n random numbers from N(0, 1), by the Box-Muller transform. */
function randomPoint(n) {
  const radius = () => Math.sqrt(-2 * Math.log(1 - Math.random()));
  return Array.from({ length: n }, () => radius() * Math.cos(2 * Math.PI * Math.random()));
}

/* Return the point at t, from 0 to 1, on the arc from a to b (Shoemake 1985, "slerp"). Vectors from N(0, 1) have nearly
   the same length. The points on the arc have this length too; points on the straight line are shorter. */
function slerp(a, b, t) {
  const dot = (u, v) => u.reduce((sum, x, i) => sum + x * v[i], 0);
  const angle = Math.acos(Math.max(-1, Math.min(1, dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b) || 1))));
  const sine = Math.sin(angle);
  const [from, to] = sine < 1e-3 ? [1 - t, t] : [Math.sin((1 - t) * angle) / sine, Math.sin(t * angle) / sine];
  return a.map((x, i) => from * x + to * b[i]);
}

/* Draw an image (H, W, C), numbers in [-1, 1], on a canvas of its size. */
function paint(canvas, image, [height, width, channels]) {
  canvas.width = width;
  canvas.height = height;
  const pixels = new ImageData(width, height);
  for (let i = 0; i < 4 * width * height; i++) {
    const channel = i % 4, value = image[(i >> 2) * channels + Math.min(channel, channels - 1)];
    pixels.data[i] = channel === 3 ? 255 : Math.round((value + 1) * 127.5);  // ImageData clips to 0..255
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}
