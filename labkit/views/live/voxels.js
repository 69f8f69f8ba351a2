// The voxels of a scan in the page, and where they lie.  They stand upright: i grows to the
// patient's left, j to the back, k to the feet, and all three run to the right or downwards
// on the screen.

const IN_FLIGHT = 4; // parts asked for at a time

/** The voxels, filled as their parts arrive. */
function received(model) {
  const { size, parts, bytes_per_part } = model.get("scan");
  const scan = { arrived: 0, parts, size, changed: new EventTarget() };
  try {
    scan.voxels = new Int16Array(size[0] * size[1] * size[2]);
    if (model.get("tool")) scan.mask = new Uint8Array(scan.voxels.length);
  } catch {
    scan.failed = "This browser has not enough memory for the scan; the picture stays.";
    return scan;
  }
  const bytes = new Uint8Array(scan.voxels.buffer);
  const here = new Set();
  let next = 0;
  const ask = () => {
    while (here.has(next)) next += 1;
    if (next < parts) model.send({ part: next++ });
  };
  model.on("msg:custom", ({ part, box }, [data]) => {
    if (box) return redrawn(scan, box, data);
    ask(); // also after a part that another page asked for
    if (here.has(part)) return;
    here.add(part);
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), part * bytes_per_part);
    scan.arrived = here.size;
    scan.changed.dispatchEvent(new Event("part"));
    if (scan.mask && scan.arrived === parts) model.send({ mask: true });
  });
  for (let n = 0; n < IN_FLIGHT; n++) ask();
  return scan;
}

/** A part of the mask as the kernel has it now: bits, i fastest, from the lowest bit on. */
function redrawn(scan, [i0, i1, j0, j1, k0, k1], data) {
  let bit = 0;
  for (let k = k0; k < k1; k++) {
    for (let j = j0; j < j1; j++) {
      let voxel = index(scan, [i0, j, k]);
      for (let i = i0; i < i1; i++, bit++) {
        scan.mask[voxel++] = (data.getUint8(bit >> 3) >> (bit & 7)) & 1;
      }
    }
  }
  scan.changed.dispatchEvent(new Event("mask"));
}

const index = ({ size }, [i, j, k]) => i + size[0] * (j + size[1] * k);
const lps = ({ ijk_to_lps }, [i, j, k]) =>
  ijk_to_lps.map(([x, y, z, origin]) => x * i + y * j + z * k + origin);
const inside = (position, size) => Math.min(size - 1, Math.max(0, Math.floor(position)));
