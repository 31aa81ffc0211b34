import { blockBytes, CHECKSUM_BYTES, createBlockMaker } from './block.ts'
import { FRAME_BYTES, MAX_FILE_BYTES, RecordFile } from './record-file.ts'

/** How far the files of blocks have come: bytes of the last pair that hold records. */
export interface Tip {
  readonly height: number
  readonly file: number
  readonly blkUsed: number
  readonly revUsed: number
}

/** What is to be appended to one pair of files, `blkNNNNN.dat` and `revNNNNN.dat`. */
export interface BlockFileJob {
  /** Where the pair lies. */
  readonly dir: string
  readonly seed: number
  readonly xorKey: Uint8Array
  readonly from: Tip
  readonly blocks: number
  /** Whether another pair follows. */
  readonly full: boolean
}

export interface BlockFileResult {
  readonly tip: Tip
  readonly growth: Growth
}

/** Records that were appended, frames included: what is truly new in the files of blocks. */
export interface Growth {
  readonly blkBytes: number
  readonly revBytes: number
}

/**
 * Pure: which blocks go to which pair of files. Appends as long as `goOn` says so of what was appended before. Pairs do
 * not depend on one another, because the length of a block is known before it is made.
 */
export function planBlockFiles(
  { dir, seed, xorKey }: Pick<BlockFileJob, 'dir' | 'seed' | 'xorKey'>,
  start: Tip,
  goOn: (blkBytes: number, blocks: number) => boolean,
): BlockFileJob[] {
  const jobs: BlockFileJob[] = []
  let from = start
  let { height, blkUsed } = start
  const addJob = (full: boolean): void => {
    jobs.push({ dir, seed, xorKey, from, blocks: height - from.height, full })
  }
  for (let total = 0; goOn(total, height - start.height); height++) {
    const bytes = FRAME_BYTES + blockBytes(seed, height)
    if (blkUsed + bytes > MAX_FILE_BYTES) {
      addJob(true)
      from = { height, file: from.file + 1, blkUsed: 0, revUsed: 0 }
      blkUsed = 0
    }
    blkUsed += bytes
    total += bytes
  }
  addJob(false)
  return jobs
}

export function appendBlocks({ dir, seed, xorKey, from, blocks, full }: BlockFileJob): BlockFileResult {
  const makeBlock = createBlockMaker(seed)
  const blk = new RecordFile(dir, 'blk', from.file, from.blkUsed, xorKey)
  const rev = new RecordFile(dir, 'rev', from.file, from.revUsed, xorKey)
  for (let i = 0; i < blocks; i++) {
    const { block, undo } = makeBlock(from.height + i)
    blk.append(block)
    rev.append(undo, CHECKSUM_BYTES)
  }
  for (const file of [blk, rev]) {
    if (full) file.finish()
    else file.close()
  }
  return {
    tip: { height: from.height + blocks, file: from.file, blkUsed: blk.used, revUsed: rev.used },
    growth: { blkBytes: blk.used - from.blkUsed, revBytes: rev.used - from.revUsed },
  }
}
