import type { CutParameters } from '../native/scan.ts'

/** What a new repository's config says, unless told otherwise. */
export const DEFAULT_CUT_PARAMETERS: CutParameters = {
  minBytes: 16 * 1024,
  averageBytes: 64 * 1024,
  maxBytes: 256 * 1024,
  level: 1,
}

/** The chunker starts afresh at every multiple of this in a file: fixed by FORMAT.md, for parallel and partial reading. */
export const SEGMENT_BYTES: number = 64 * 2 ** 20
