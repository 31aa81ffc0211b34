import { createHash } from 'node:crypto'
import { type Dice, makeDice } from '../../bench/node/random.ts'
import type { DiskImage } from '../helpers/memory-disk.ts'
import { PowerCut } from '../helpers/power-cut.ts'
import { type FolderImage, torn } from './folder-image.ts'
import { SEED } from './form.ts'
import type { Recording } from './recording.ts'
import type { Chapter } from './story.ts'

/** A repository as a crash has left it. */
export interface Wreck {
  /** When the crash came, for people. */
  readonly cut: string
  readonly image: DiskImage
  /** What index and cache are. */
  readonly derived: FolderImage
  readonly chapter: Chapter
  /** What some snapshot must be restored to. */
  readonly required: ReadonlySet<string>
}

/** Every state that a crash at any moment may leave, each once, with index and cache in one state or another. */
export function* wrecksOf(recording: Recording): Generator<Wreck> {
  const { operations } = recording
  const disk = diskOf(recording)
  const dice = makeDice(SEED + 2)
  const seen = new Set<string>()
  for (let done = 0; done <= operations.length; done++) {
    if (done > 0) disk.apply(operations[done - 1]!)
    for (const { key, image } of disk.images()) {
      const id = done === operations.length ? `${key}, and the command has returned` : key
      if (seen.has(id)) continue
      seen.add(id)
      yield wreckOf(recording, done, image, seen.size + SEED, dice)
    }
  }
}

/** One of them. */
export function someWreck(recording: Recording, dice: Dice): Wreck {
  const done = dice(recording.operations.length + 1)
  const disk = diskOf(recording)
  for (const operation of recording.operations.slice(0, done)) disk.apply(operation)
  const images = [...disk.images()]
  return wreckOf(recording, done, images[dice(images.length)]!.image, dice(DERIVED.length), dice)
}

/** The same for all that hold the same packs and snapshots. */
export function storedKey({ image }: Wreck): string {
  const hash = createHash('sha1')
  for (const [path, { bytes }] of image.files)
    if (!/\/(?:tmp|locks|condemned)\/[^/]*$/.test(path)) hash.update(`${path}\0`).update(bytes)
  return hash.digest('hex')
}

const diskOf = ({ start, temporary }: Recording): PowerCut => new PowerCut(start, temporary)

function wreckOf(recording: Recording, done: number, image: DiskImage, number: number, dice: Dice): Wreck {
  const { chapter, operations, derived, before, after } = recording
  const [state, make] = DERIVED[number % DERIVED.length]!
  return {
    cut: `${chapter.name}: ${done} of ${operations.length} operations done, index and cache ${state}`,
    image,
    derived: make(derived, done, dice),
    chapter,
    required: done === operations.length ? after : new Set([...before].filter((copy) => after.has(copy))),
  }
}

/** What index and cache may be after a crash: nobody syncs them. */
const DERIVED: readonly [string, (derived: readonly FolderImage[], done: number, dice: Dice) => FolderImage][] = [
  ['as left', (derived, done) => derived[done]!],
  ['lost', () => new Map()],
  ['as before', (derived) => derived[0]!],
  ['ahead', (derived) => derived.at(-1)!],
  ['torn', (derived, done, dice) => torn(derived[done]!, dice)],
]
