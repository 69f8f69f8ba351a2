// The line where grey values cross a level.

const MOST_PIECES = 15000; // of a line in one plane; more take a tenth of a second and longer

/**
 * The line where values cross the level, through pixel centres: marching squares.  False where
 * it would have more than MOST_PIECES: there it runs through noise.
 */
function contour(values, width, height, level, path, scaleX, scaleY) {
  const ends = new Float32Array(8);
  let end = 0;
  let pieces = 0;
  const meet = (x, y) => {
    ends[end++] = (x + 0.5) * scaleX;
    ends[end++] = (y + 0.5) * scaleY;
  };
  for (let y = 0; y + 1 < height; y++) {
    const row = y * width;
    let left = (values[row] >= level) | ((values[row + width] >= level) << 3);
    for (let x = 0, n = row; x + 1 < width; x++, n++) {
      const right = ((values[n + 1] >= level) << 1) | ((values[n + width + 1] >= level) << 2);
      const kind = left | right;
      left = ((right >> 1) & 1) | ((right & 4) << 1);
      if (kind === 0 || kind === 15) continue;
      const a = values[n], b = values[n + 1], c = values[n + width + 1], d = values[n + width];
      end = 0;
      // at a saddle the middle says which corners belong together
      const last_first = (kind === 5 || kind === 10) && (a + b + c + d) / 4 >= level !== a >= level;
      if (last_first) meet(x, y + (level - a) / (d - a));
      if (!(kind & 1) !== !(kind & 2)) meet(x + (level - a) / (b - a), y);
      if (!(kind & 2) !== !(kind & 4)) meet(x + 1, y + (level - b) / (c - b));
      if (!(kind & 4) !== !(kind & 8)) meet(x + (level - d) / (c - d), y + 1);
      if (!last_first && !(kind & 8) !== !(kind & 1)) meet(x, y + (level - a) / (d - a));
      for (let p = 0; p < end; p += 4) {
        path.moveTo(ends[p], ends[p + 1]);
        path.lineTo(ends[p + 2], ends[p + 3]);
      }
      pieces += end >> 2;
      if (pieces > MOST_PIECES) return false;
    }
  }
  return true;
}

/** The pixels next to which values cross the level, in a picture of the plane's own size. */
function crossed(values, width, height, level, colour) {
  const picture = make("canvas", { width, height });
  const pen = picture.getContext("2d");
  const data = pen.createImageData(width, height);
  for (let y = 0; y + 1 < height; y++) {
    for (let x = 0, n = y * width; x + 1 < width; x++, n++) {
      const above = values[n] >= level;
      if (above !== values[n + 1] >= level || above !== values[n + width] >= level) {
        data.data[4 * n + 3] = 255;
      }
    }
  }
  pen.putImageData(data, 0, 0);
  pen.globalCompositeOperation = "source-in";
  pen.fillStyle = colour;
  pen.fillRect(0, 0, width, height);
  return picture;
}
