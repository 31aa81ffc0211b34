import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'
import { type Cell, type FileKind, inflict, listCells } from './cells.ts'
import {
  allObjects,
  covers,
  expectCode,
  filesNeeding,
  lostObjects,
  nameOf,
  restoreAndJudge,
  runCheck,
} from './judge.ts'
import { canHeal } from './parity-shape.ts'
import { Copy, makeScene, type Scene } from './scene.ts'

// Every kind of stored file × each of its parts × each kind of damage: what is found and said, what is restored, what is
// repaired, and what a backup stores again. All cells with CHAINKEEP_DAMAGE=all (npm run test:damage), else some of each file.

let tmp: TemporaryDirectory
let scene: Scene

beforeEach(async () => {
  tmp = await temporaryDirectory()
})
afterEach(() => tmp[Symbol.asyncDispose]())

/** How each kind of file is judged. */
const JUDGES: Readonly<Record<FileKind, (copy: Copy, cell: Cell) => Promise<void>>> = {
  data: judgePack,
  meta: judgePack,
  parity: judgeParity,
  settings: judgeSettings,
  snapshot: judgeSnapshot,
  config: judgeConfig,
  lock: judgeLock,
  index: expectHarmless, // found and put right by itself
  'known packs': expectHarmless, // a hint that is lost
  'file cache': expectHarmless, // every file is read once more
}

async function judgePack(copy: Copy, cell: Cell): Promise<void> {
  if (scene.parity > 0) {
    const sound = readFileSync(join(scene.directory, cell.file))
    const damaged = cell.change(sound)
    if (damaged && canHeal(sound, damaged, scene.parity)) return await judgeHealing(copy, cell, sound)
    if (damaged) expect((await runCheck(copy, '--read-data')).said).toContain('more than parity can heal')
  }
  const [lost, all] = [lostObjects(scene, cell), allObjects(scene, cell)]
  const name = nameOf(cell)
  const isDataAlone = cell.kind === 'data' && lost.size > 0 && isWithinRecords(cell)

  // Without reading the data, all is found but what is in the data alone.
  const structure = await runCheck(copy)
  expect(structure.code).toBe(isDataAlone ? 0 : 1)
  if (!isDataAlone) expect(structure.said).toContain(name)
  const read = await runCheck(copy, '--read-data')
  expect(read.code).toBe(1)
  expect(read.said).toContain(name)

  // Whoever suffers is named, and nobody is given a wrong byte.
  for (const snapshot of scene.snapshots) {
    const { absent } = await restoreAndJudge(copy, snapshot.id, snapshot.contents)
    const hit = filesNeeding(snapshot, isWithinRecords(cell) ? lost : all)
    expect(hit, 'nothing else is lost').toEqual(expect.arrayContaining([...absent]))
    const suffering = read.suffering.get(snapshot.id) ?? []
    expect(covers(suffering, absent), 'check names what a restore cannot have').toBe(true)
    if (isWithinRecords(cell)) {
      const named = [...snapshot.contents.keys()].filter((path) => covers(suffering, [path]))
      expect(named, 'and nothing else').toEqual(absent)
    }
  }

  // What is sound is saved, all of it, and nothing else is lost.
  expectCode(await copy.run('repair', 'index'), cell.damage === 'deleted' || isWithinRecords(cell) ? 0 : 1)
  expectCode(await copy.run('repair', 'packs'), 0)
  for (const snapshot of scene.snapshots) {
    const { absent } = await restoreAndJudge(copy, snapshot.id, snapshot.contents)
    expect(absent).toEqual(filesNeeding(snapshot, lost))
  }

  // A backup stores again what the source still has, and says so.
  const latest = scene.snapshots.at(-1)!
  const isLatestHit = filesNeeding(latest, lost).length > 0
  const backup = await copy.run('backup', scene.source, '--json')
  expectCode(backup, 0)
  const { healed_objects: healed = 0, lost_objects: known = 0 } = backup.json().at(-1) ?? {}
  expect(healed).toBe(known)
  expect(Number(known) > 0).toBe(isLatestHit)
  expect((await restoreAndJudge(copy, latest.id, latest.contents)).absent).toEqual([])
  expect((await restoreAndJudge(copy, 'latest', latest.contents)).absent).toEqual([])

  // What stays lost is left out of new snapshots; the old ones stay until they are forgotten.
  const stillLost = new Set([...lost].filter((each) => ![...latest.needs.values()].some((names) => names.has(each))))
  const damaged = scene.snapshots.filter((snapshot) => filesNeeding(snapshot, stillLost).length > 0)
  expect((await runCheck(copy)).code).toBe(damaged.length > 0 ? 1 : 0)
  const repair = await copy.run('repair', 'snapshots', '--json')
  expectCode(repair, 0)
  const changed = repair.json().filter((line) => line.message_type === 'changed')
  expect(changed.map(({ old_snapshot_id: id }) => id)).toEqual(damaged.map(({ id }) => id))
  for (const [i, snapshot] of damaged.entries()) {
    const gone = filesNeeding(snapshot, stillLost)
    const left = new Map([...snapshot.contents].filter(([path]) => !gone.includes(path)))
    expect((await restoreAndJudge(copy, snapshot.id, snapshot.contents)).absent, 'the original is there').toEqual(gone)
    const id = changed[i]!.new_snapshot_id
    if (typeof id === 'string') expect((await restoreAndJudge(copy, id, left)).absent).toEqual([])
    else expect(left.size, 'nothing is left').toBe(0)
  }
  expectCode(await copy.run('repair', 'snapshots', '--forget'), 0)
  expect(await runCheck(copy, '--read-data')).toMatchObject({ code: 0 })
}

/** What parity can heal is as if nothing had been. */
async function judgeHealing(copy: Copy, cell: Cell, sound: Buffer): Promise<void> {
  const { code, said } = await runCheck(copy, '--read-data')
  expect(code).toBe(1)
  expect(said).toContain(nameOf(cell))
  expect(said).toContain('parity can heal it')
  for (const { id, contents } of scene.snapshots) await restoreAndJudge(copy, id, contents)
  expectCode(await copy.run('repair', 'packs'), 0)
  expect(readFileSync(join(copy.directory, cell.file)).equals(sound), 'healed byte for byte').toBe(true)
  await expectSound(copy, scene.snapshots)
}

/** What is wrong with parity matters to nobody but parity. */
async function judgeParity(copy: Copy, cell: Cell): Promise<void> {
  const isGone = cell.damage === 'deleted'
  const { code, said } = await runCheck(copy, '--read-data')
  expect(code).toBe(isGone ? 0 : 1)
  expect(said).toContain(isGone ? 'one pack lacks the parity' : nameOf(cell))
  for (const { id, contents } of scene.snapshots) expect((await restoreAndJudge(copy, id, contents)).absent).toEqual([])
  expectCode(await copy.run('backup', scene.source), 0)
  expectCode(await copy.run('repair', 'packs'), 0)
  if (isGone) expectCode(await copy.run('parity', `${scene.parity}`), 0)
  expect(readFileSync(join(copy.directory, cell.file))).toEqual(readFileSync(join(scene.directory, cell.file)))
  await expectSound(copy, scene.snapshots)
}

/** Readers never ask for them; writers refuse to guess, but for settings that are not there. */
async function judgeSettings(copy: Copy, cell: Cell): Promise<void> {
  if (cell.damage === 'deleted') return await expectHarmless(copy)
  const { code, types } = await runCheck(copy)
  expect([code, types]).toEqual([1, ['settings-damaged']])
  for (const { id, contents } of scene.snapshots) expect((await restoreAndJudge(copy, id, contents)).absent).toEqual([])
  const refused = await copy.run('backup', scene.source, '--type', 'full')
  if (refused.code !== 0) expect(refused.stderr).toContain('"chainkeep parity PERCENT" writes it again')
  expectCode(await copy.run('parity', `${scene.parity}`), 0)
  expect(readFileSync(join(copy.directory, cell.file))).toEqual(readFileSync(join(scene.directory, cell.file)))
  await expectHarmless(copy)
}

/** Whether all that is damaged lies in records whose places are as they were. */
function isWithinRecords({ file, from, to, damage }: Cell): boolean {
  const objects = scene.packs.get(file)!
  return (damage === 'a bit flipped' || damage === 'a range zeroed') && from >= 16 && to <= objects.at(-1)!.end
}

async function judgeSnapshot(copy: Copy, cell: Cell): Promise<void> {
  const id = nameOf(cell).split('/')[1]!
  if (cell.damage === 'deleted') {
    // As if it had been forgotten: nobody can tell the difference.
    expect((await runCheck(copy, '--read-data')).code).toBe(0)
    expectCode(await copy.run('restore', id, '-t', join(copy.directory, 'target')), 1)
  } else {
    for (const flags of [[], ['--read-data']]) {
      const { code, said, types } = await runCheck(copy, ...flags)
      expect(code).toBe(1)
      expect(said).toContain(nameOf(cell))
      expect(types).toContain('snapshot-unreadable')
    }
    const { code, stderr, contents } = await copy.restore(id)
    expect([code, contents.size]).toEqual([1, 0])
    expect(stderr).toContain(nameOf(cell))
    expectCode(await copy.run('restore', 'latest', '-t', join(copy.directory, 'target')), 1) // it may be this one
    expectCode(await copy.run('repair', 'snapshots'), 1)
  }
  for (const snapshot of scene.snapshots)
    if (snapshot.id !== id) expect((await restoreAndJudge(copy, snapshot.id, snapshot.contents)).absent).toEqual([])
  expectCode(await copy.run('backup', scene.source), 0)
  if (cell.damage !== 'deleted') expectCode(await copy.run('forget', id), 0)
  await expectSound(
    copy,
    scene.snapshots.filter((snapshot) => snapshot.id !== id),
  )
}

async function judgeConfig(copy: Copy, cell: Cell): Promise<void> {
  // That of another repository says nothing that a restore needs.
  if (cell.damage === 'replaced by another') return await expectHarmless(copy)
  for (const argv of [
    ['check'],
    ['backup', scene.source],
    ['restore', 'latest', '-t', 'target'],
    ['prune'],
    ['repair', 'packs'],
  ]) {
    const result = await copy.run(...argv)
    expectCode(result, 1, 10)
    expect(result.stderr).toContain(
      cell.damage === 'deleted' ? 'there is no repository' : join(copy.directory, cell.file),
    )
  }
  expectCode(await copy.run('init'), 1)
  copy.putBack(cell.file)
  await expectHarmless(copy)
}

async function judgeLock(copy: Copy): Promise<void> {
  await expectSound(copy, scene.snapshots)
  await expectHarmless(copy)
}

/** Nothing is lost, and nothing stays wrong. */
async function expectHarmless(copy: Copy): Promise<void> {
  await expectSound(copy, scene.snapshots)
  expectCode(await copy.run('backup', scene.source), 0)
  const latest = scene.snapshots.at(-1)!
  expect((await restoreAndJudge(copy, 'latest', latest.contents)).absent).toEqual([])
  expectCode(await copy.run('repair', 'packs'), 0)
  await expectSound(copy, scene.snapshots)
}

async function expectSound(copy: Copy, snapshots: Scene['snapshots']): Promise<void> {
  for (const { id, contents } of snapshots) expect((await restoreAndJudge(copy, id, contents)).absent).toEqual([])
  expect(await runCheck(copy, '--read-data')).toMatchObject({ code: 0 })
}

/** With CHAINKEEP_DAMAGE_CELL those alone whose description has that in it, and then with the stack of what is wrong. */
async function judgeCells(parity: number, isMeant: (cell: Cell) => boolean, everyNth: number): Promise<void> {
  scene = await makeScene(tmp.path, parity)
  const cells = listCells(scene).filter(isMeant)
  const only = process.env.CHAINKEEP_DAMAGE_CELL
  const all = process.env.CHAINKEEP_DAMAGE === 'all'
  const chosen = cells.filter((cell, i) => (only ? describe(cell).includes(only) : all || i % everyNth === 5))
  const wrong: string[] = []
  for (const cell of chosen) {
    using copy = new Copy(scene)
    try {
      inflict(cell, copy.directory)
      await JUDGES[cell.kind](copy, cell)
    } catch (error) {
      wrong.push(`${describe(cell)}: ${error instanceof Error ? (only ? error.stack : error.message) : error}`)
    }
  }
  const counts: Partial<Record<FileKind, number>> = {}
  for (const { kind } of cells) counts[kind] = (counts[kind] ?? 0) + 1
  const kinds = Object.entries(counts)
    .map((count) => count.join(' '))
    .join(', ')
  console.log(`damage matrix: ${chosen.length} of ${cells.length} cells (${kinds})`)
  expect(wrong).toEqual([])
}

test('the damage matrix', () => judgeCells(0, () => true, 37), 1_200_000)

const WITH_PARITY: readonly FileKind[] = ['data', 'meta', 'parity', 'settings']
test('the damage matrix, with parity', () => judgeCells(20, ({ kind }) => WITH_PARITY.includes(kind), 61), 1_200_000)

const describe = ({ file, part, damage }: Cell): string => `${file}, ${part}, ${damage}`
