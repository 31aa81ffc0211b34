import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'
import { type Cell, inflict, listCells } from './cells.ts'
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
import { Copy, makeScene, type Scene } from './scene.ts'

// Every kind of stored file × each of its parts × each kind of damage: what is found and said, what is restored, what is
// repaired, and what a backup stores again. All cells with CHAINKEEP_DAMAGE=all (npm run test:damage), else some of each file.

let tmp: TemporaryDirectory
let scene: Scene
let cells: Cell[]

beforeAll(async () => {
  tmp = await temporaryDirectory()
  scene = await makeScene(tmp.path)
  cells = listCells(scene)
})
afterAll(() => tmp[Symbol.asyncDispose]())

/** How each kind of file is judged. */
const JUDGES: Readonly<Record<Cell['kind'], (copy: Copy, cell: Cell) => Promise<void>>> = {
  data: judgePack,
  meta: judgePack,
  snapshot: judgeSnapshot,
  config: judgeConfig,
  lock: judgeLock,
  index: expectHarmless, // found and put right by itself
  'known packs': expectHarmless, // a hint that is lost
  'file cache': expectHarmless, // every file is read once more
}

async function judgePack(copy: Copy, cell: Cell): Promise<void> {
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

test('the damage matrix', async () => {
  const all = process.env.CHAINKEEP_DAMAGE === 'all'
  const only = process.env.CHAINKEEP_DAMAGE_CELL
  const chosen = cells.filter((cell, i) => (only ? describe(cell).includes(only) : all || i % 37 === 5))
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
  console.log(`damage matrix: ${chosen.length} of ${cells.length} cells`)
  expect(wrong).toEqual([])
}, 1_200_000)

const describe = ({ file, part, damage }: Cell): string => `${file}, ${part}, ${damage}`
