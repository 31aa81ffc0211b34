import { expect, test } from 'vitest'
import { byteStringOf } from '../../src/base/bytes.ts'
import { idBytes, type ObjectId, objectIdAt } from '../../src/base/ids.ts'
import { encodeList } from '../../src/format/list.ts'
import type { Node } from '../../src/format/node.ts'
import { markReachable, type ReferenceProblem } from '../../src/repository/reachability.ts'
import type { Repository } from '../../src/repository/repository.ts'
import { findInTree } from '../../src/repository/trees.ts'
import { openMaintaining } from '../helpers/maintaining.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type Listing, ownMeta } from '../helpers/store-tree.ts'

const LISTING: Listing = {
  empty: '',
  small: 'one chunk',
  big: seededBytes('big', 100_000),
  directory: { directory: { copy: seededBytes('big', 100_000), deep: { directory: { file: 'deep' } } } },
  tagged: {
    file: 'with attributes',
    attributes: [{ name: byteStringOf('user.large'), value: seededBytes('value', 2000) }],
  },
}

test('marks every object of a snapshot once, and no other', async () => {
  await using it = await openMaintaining()
  const { snapshot } = await it.store(LISTING)
  const { marks, problems, kinds } = await mark(it.repository, [snapshot.tree])
  expect(problems).toEqual([])
  const own = (await it.repository.index()).ordinalLimit
  expect(marks.size).toBe(own)
  expect(Object.values(kinds).reduce((sum, count) => sum + count, 0)).toBe(own)
  expect(kinds).toMatchObject({ tree: 3, attributes: 1 })
  expect(kinds.chunk).toBeGreaterThan(300)
  expect(kinds.list).toBeGreaterThan(5)

  await it.store({ another: seededBytes('another', 10_000) })
  expect((await mark(it.repository, [snapshot.tree])).marks.size).toBe(own)
})

test('goes on from earlier marks without walking what they hold', async () => {
  await using it = await openMaintaining()
  const first = await it.store(LISTING)
  const second = await it.store({ ...LISTING, more: 'one chunk more' })
  const { marks } = await mark(it.repository, [first.snapshot.tree])
  const { kinds } = await mark(it.repository, [second.snapshot.tree, first.snapshot.tree], marks)
  expect(kinds).toEqual({ chunk: 1, tree: 1 })
})

test('walks directories of many trees', async () => {
  await using it = await openMaintaining()
  const names = Array.from({ length: 3000 }, (_, i) => `name ${i}`)
  const { snapshot } = await it.store(Object.fromEntries(names.map((name) => [name, name])))
  const { kinds, problems } = await mark(it.repository, [snapshot.tree])
  expect(problems).toEqual([])
  expect(kinds.chunk).toBe(3000)
  expect(kinds.tree).toBeGreaterThan(10)
})

test('names what is missing, and where', async () => {
  await using it = await openMaintaining()
  const absent = objectIdAt(seededBytes('absent', 32))
  const meta = ownMeta()
  const node = (name: string, rest: object): Node => ({ name: byteStringOf(name), ...meta, ...rest }) as Node
  const { snapshot } = await it.store({
    'no-chunk': { node: node('no-chunk', { type: 'file', size: 5, content: { height: 0, id: absent } }) },
    'no-list': { node: node('no-list', { type: 'file', size: 5, content: { height: 2, id: absent } }) },
    'no-tree': { node: node('no-tree', { type: 'directory', tree: absent }) },
    'no-attributes': { node: node('no-attributes', { type: 'fifo', attributes: absent }) },
    file: 'sound',
  })
  const { problems, kinds } = await mark(it.repository, [snapshot.tree])
  expect(problems.map(({ type, reference: { kind, id, path } }) => [type, kind, id, path])).toEqual([
    ['missing', 'chunk', absent, '/no-chunk'],
    ['missing', 'tree', absent, '/no-tree'],
    ['missing', 'list', absent, '/no-list'],
    ['missing', 'attributes', absent, '/no-attributes'],
  ])
  expect(kinds).toEqual({ chunk: 1, tree: 1 })
})

test('finds objects that are not what refers to them says', async () => {
  await using it = await openMaintaining()
  const { snapshot } = await it.store({ five: '12345' })
  const session = it.repository.beginWrite()
  const chunk = await fiveBytes(it.repository, snapshot.tree)
  const wrongLength = await session.saveObject('list', encodeList(1, idBytes(chunk), [6]))
  const rightLength = await session.saveObject('list', encodeList(1, idBytes(chunk), [5]))
  const noList = await session.saveObject('list', Buffer.from('nonsense'))
  const noTree = await session.saveObject('tree', Buffer.from('nonsense'))
  await session.flush()
  const meta = ownMeta()
  const file = (name: string, size: number, height: number, id: ObjectId): { node: Node } => ({
    node: { name: byteStringOf(name), ...meta, type: 'file', size, content: { height, id } },
  })
  const bad = await it.store({
    'a chunk of 5': file('a chunk of 5', 7, 0, chunk),
    'a list of a chunk of 5': file('a list of a chunk of 5', 6, 1, wrongLength),
    'a list of another height': file('a list of another height', 5, 2, rightLength),
    nonsense: file('nonsense', 6, 1, noList),
    directory: { node: { name: byteStringOf('directory'), ...meta, type: 'directory', tree: noTree } },
  })
  const { problems } = await mark(it.repository, [bad.snapshot.tree])
  expect(problems.map(({ type, reference }) => `${type} ${reference.kind} ${reference.path}`).sort()).toEqual([
    'invalid chunk /a chunk of 5',
    'invalid chunk /a list of a chunk of 5',
    'invalid list /a list of another height',
    'invalid list /nonsense',
    'invalid tree /directory',
  ])
})

test('is stopped by its signal', async () => {
  await using it = await openMaintaining()
  const { snapshot } = await it.store(LISTING)
  const signal = AbortSignal.abort()
  const marking = markReachable(it.repository, [snapshot.tree], { onProblem: () => {}, signal })
  await expect(marking).rejects.toMatchObject({ code: 'INTERRUPTED' })
})

async function mark(
  repository: Repository,
  roots: readonly ObjectId[],
  earlier?: Awaited<ReturnType<typeof markReachable>>,
): Promise<{
  marks: Awaited<ReturnType<typeof markReachable>>
  problems: ReferenceProblem[]
  kinds: Record<string, number>
}> {
  const problems: ReferenceProblem[] = []
  const kinds: Record<string, number> = {}
  const marks = await markReachable(repository, roots, {
    marks: earlier,
    onMark: (kind) => {
      kinds[kind] = (kinds[kind] ?? 0) + 1
    },
    onProblem: (problem) => problems.push(problem),
  })
  return { marks, problems, kinds }
}

async function fiveBytes(repository: Repository, tree: ObjectId): Promise<ObjectId> {
  const node = await findInTree(repository.load, tree, byteStringOf('five'))
  if (node?.type !== 'file' || !node.content) throw new Error('not stored')
  return node.content.id
}
