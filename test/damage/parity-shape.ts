/** What FORMAT.md §14 says of the parity of a pack, worked out apart from the program. */
export interface ParityShape {
  readonly blockBytes: number
  readonly blocks: number
  readonly columns: number
  /** Blocks that can be computed in each column. */
  readonly parityRows: number
  readonly tableBytes: number
}

export function parityShape(packBytes: number, percent: number): ParityShape {
  const blockBytes = Math.min(4096, packBytes)
  const blocks = Math.ceil(packBytes / blockBytes)
  const columns = Math.ceil(blocks / 128)
  const parityRows = Math.ceil((Math.ceil(blocks / columns) * percent) / 100)
  return { blockBytes, blocks, columns, parityRows, tableBytes: 4 * (blocks + parityRows * columns) }
}

/** Whether no column has lost more blocks than it has of parity. */
export function canHeal(sound: Buffer, damaged: Buffer, percent: number): boolean {
  const { blockBytes, blocks, columns, parityRows } = parityShape(sound.length, percent)
  const lost = Array<number>(columns).fill(0)
  const blockOf = (bytes: Buffer, i: number): Buffer =>
    bytes.subarray(i * blockBytes, Math.min((i + 1) * blockBytes, sound.length))
  for (let i = 0; i < blocks; i++) if (!blockOf(sound, i).equals(blockOf(damaged, i))) lost[i % columns]!++
  return lost.every((count) => count <= parityRows)
}
