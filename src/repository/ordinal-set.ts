/** A set of objects, by their ordinals in the index: one bit for each, 12 MB for 100 million. */
export class OrdinalSet {
  #bits: Uint8Array
  #size = 0

  /** `limit` is the index's `ordinalLimit`; the set grows should packs be added later. */
  constructor(limit: number) {
    this.#bits = new Uint8Array(Math.ceil(limit / 8))
  }

  get size(): number {
    return this.#size
  }

  has(ordinal: number): boolean {
    return ((this.#bits[Math.floor(ordinal / 8)] ?? 0) & (1 << (ordinal % 8))) !== 0
  }

  /** Answers whether it was not there. */
  add(ordinal: number): boolean {
    if (this.has(ordinal)) return false
    const at = Math.floor(ordinal / 8)
    if (at >= this.#bits.length) this.#grow(at + 1)
    this.#bits[at]! |= 1 << (ordinal % 8)
    this.#size++
    return true
  }

  #grow(least: number): void {
    const grown = new Uint8Array(Math.max(least, Math.ceil(this.#bits.length * 1.25)))
    grown.set(this.#bits)
    this.#bits = grown
  }
}
