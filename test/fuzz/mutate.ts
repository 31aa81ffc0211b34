/** Numbers at which lengths and counts go wrong. */
const EDGES = [0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 2 ** 24 + 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1] as const
/** What means something in CBOR, JSON, globs and sizes. */
const WORDS = ['9fffffffffffffffff', '9b', '5b7fffffffffffffff', '81818181', 'bf', 'f97e00', 'fb', 'c2', '2f2e2e2f', '2a61', '5b5e', '5c', '393939393939', 'ff', '28b52ffd', '434b4f42'] // biome-ignore format: words

const MAX_BYTES = 20_000

/** A stream of numbers below a bound that depends on `seed` alone (Marsaglia, *Xorshift RNGs*, JSS 8(14), 2003). */
export function randomNumbers(seed: number): (bound: number) => number {
  let state = (seed ^ 0x9e3779b9) | 1
  return (bound) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % bound
  }
}

/** Changes `input` in one to eight places: bits, numbers, pieces removed, doubled or inserted, and pieces of `other`. */
export function mutate(input: Buffer, other: Buffer, random: (bound: number) => number): Buffer {
  let bytes: Buffer = Buffer.from(input)
  for (let left = 1 + random(8); left > 0; left--) bytes = change(bytes, other, random)
  return bytes.subarray(0, MAX_BYTES)
}

function change(bytes: Buffer, other: Buffer, random: (bound: number) => number): Buffer {
  const at = random(bytes.length + 1)
  const insert = (piece: Uint8Array, removed = 0): Buffer =>
    Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + removed)])
  const piece = (of: Buffer): Buffer => {
    const start = random(of.length + 1)
    return of.subarray(start, start + 1 + random(64))
  }
  switch (random(9)) {
    case 0:
      if (at < bytes.length) bytes[at]! ^= 1 << random(8)
      return bytes
    case 1:
      if (at < bytes.length) bytes[at] = random(256)
      return bytes
    case 2:
      return insert(number(random))
    case 3: {
      const value = number(random)
      return insert(value, value.length)
    }
    case 4:
      return bytes.subarray(0, at)
    case 5:
      return insert(new Uint8Array(), 1 + random(32))
    case 6:
      return insert(piece(bytes))
    case 7:
      return insert(piece(other), random(32))
    default:
      return insert(Buffer.from(WORDS[random(WORDS.length)]!, 'hex'))
  }
}

function number(random: (bound: number) => number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeUIntLE(EDGES[random(EDGES.length)]!, 0, 6)
  const ordered = random(2) ? bytes : Buffer.from(bytes.subarray(0, 4)).reverse()
  return ordered.subarray(0, [1, 2, 4, 8][random(4)])
}
