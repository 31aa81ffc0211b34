import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, watch } from 'node:fs'
import { mkdir, open, readdir, readFile, rm, stat, truncate, unlink, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Level } from 'level'
import { describe, expect, test, vi } from 'vitest'
import { ID_BYTES } from '../../src/base/ids.ts'
import type { ObjectKind } from '../../src/format/object.ts'
import { whyNotWritable } from '../../src/repository/index-copy.ts'
import { ObjectIndex, type OpenIndexOptions } from '../../src/repository/object-index.ts'
import { MemoryBackend, type SyntheticPack, syntheticIds, syntheticPack } from '../helpers/synthetic-packs.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'

/** A backend, a place for its index, and packs `0`, `1` … in it, of `objects` chunks each. */
async function fixture(packs = 0, objects = 50) {
  const tmp = await temporaryDirectory()
  const backend = new MemoryBackend()
  const directory = join(tmp.path, 'index')
  const notices: string[] = []
  const made: SyntheticPack[] = []
  for (let i = 0; i < packs; i++) made.push(await putPack(backend, `${i}`, syntheticIds(`${i}`, objects)))
  return {
    backend,
    directory,
    notices,
    packs: made,
    open: (options: Partial<OpenIndexOptions> = {}) =>
      ObjectIndex.open({ backend, directory, notice: (text) => notices.push(text), ...options }),
    [Symbol.asyncDispose]: () => tmp[Symbol.asyncDispose](),
  }
}

async function putPack(backend: MemoryBackend, seed: string, ids: Uint8Array, kind: ObjectKind = 'chunk') {
  const pack = syntheticPack(seed, ids, kind)
  await backend.put(kind === 'chunk' ? 'data' : 'meta', pack.id, [pack.bytes])
  return pack
}

const add = (index: ObjectIndex, pack: SyntheticPack): Promise<void> =>
  index.addPack(pack.id, pack.bytes.length, pack.entries)

const idsOf = (pack: SyntheticPack): Buffer => Buffer.concat(pack.entries.map(({ id }) => id))

/** Every object of these packs is found where it is. */
async function expectFound(index: ObjectIndex, packs: readonly SyntheticPack[]): Promise<void> {
  for (const pack of packs) {
    const locations = await index.locate(pack.entries[0]!.kind, idsOf(pack))
    const { firstOrdinal } = index.pack(pack.id)!
    expect(locations).toEqual(
      pack.entries.map(({ offset, storedLength, plainLength, codec }, i) => {
        return { pack: pack.id, offset, storedLength, plainLength, codec, ordinal: firstOrdinal + i }
      }),
    )
  }
}

async function countFound(index: ObjectIndex, pack: SyntheticPack): Promise<number> {
  return (await index.locate(pack.entries[0]!.kind, idsOf(pack))).filter(Boolean).length
}

describe('packs', () => {
  test('what was added is found, now and when opened again; anything else is not', async () => {
    await using here = await fixture(3)
    const tree = await putPack(here.backend, 'tree', syntheticIds('tree', 20), 'tree')
    {
      await using index = await here.open({ backend: new MemoryBackend() })
      for (const pack of [...here.packs, tree]) await add(index, pack)
      await expectFound(index, [...here.packs, tree])
    }
    const reads = here.backend.reads
    await using index = await here.open()
    await expectFound(index, [...here.packs, tree])
    expect(here.backend.reads).toBe(reads)
    expect(await index.locate('chunk', syntheticIds('none', 2))).toEqual([undefined, undefined])
    expect(await index.locate('list', idsOf(here.packs[0]!).subarray(0, ID_BYTES))).toEqual([undefined])
    expect(await index.locate('chunk', new Uint8Array())).toEqual([])
    await expect(index.locate('chunk', new Uint8Array(33))).rejects.toThrow(RangeError)
    expect([...index.packs()].map(({ id, packClass, bytes, objects }) => ({ id, packClass, bytes, objects }))).toEqual(
      [...here.packs, tree].map((pack) => {
        const packClass = pack === tree ? 'meta' : 'data'
        return { id: pack.id, packClass, bytes: pack.bytes.length, objects: pack.entries.length }
      }),
    )
    expect(here.notices).toEqual([])
  })

  test('what many have added is a table when closed: who opens it next does not wait for that', async () => {
    await using many = await fixture(4, 600)
    await (await many.open()).close()
    expect((await stat(await fileOf(many.directory, /\.log$/))).size).toBe(0)
    await using index = await many.open()
    await expectFound(index, many.packs)
    await using few = await fixture(4, 6)
    await (await few.open()).close()
    expect((await readdir(few.directory)).filter((name) => name.endsWith('.ldb'))).toEqual([])
  })

  test('no two records have the same ordinal, and all are below the limit', async () => {
    await using here = await fixture(4, 30)
    await using index = await here.open()
    const ordinals = new Set<number>()
    for (const pack of here.packs)
      for (const location of await index.locate('chunk', idsOf(pack))) ordinals.add(location!.ordinal)
    expect(ordinals.size).toBe(120)
    expect(Math.max(...ordinals)).toBeLessThan(index.ordinalLimit)
  })

  test('packs of others are read in when opened and by refresh; vanished ones are dropped before any answer', async () => {
    await using here = await fixture(2)
    const [first, second] = here.packs as [SyntheticPack, SyntheticPack]
    await (await here.open()).close()
    await here.backend.remove('data', first.id)
    await using index = await here.open()
    expect(await countFound(index, first)).toBe(0)
    expect(index.pack(first.id)).toBeUndefined()
    await expectFound(index, [second])

    const third = await putPack(here.backend, 'third', syntheticIds('third', 10))
    expect(await countFound(index, third)).toBe(0)
    await here.backend.remove('data', second.id)
    await index.refresh()
    await expectFound(index, [third])
    expect(await countFound(index, second)).toBe(0)
  })

  test('a pack is added once, whoever adds it', async () => {
    await using here = await fixture(1)
    await using index = await here.open()
    await Promise.all([add(index, here.packs[0]!), add(index, here.packs[0]!), index.refresh()])
    expect([...index.packs()]).toHaveLength(1)
    expect(index.ordinalLimit).toBe(50)
  })

  test('packs that cannot be read are told, and tried again', async () => {
    await using here = await fixture(2)
    const damaged = here.packs[0]!
    await here.backend.put('data', damaged.id, [damaged.bytes.subarray(0, 1000)])
    await using index = await here.open()
    expect(index.unreadablePacks).toMatchObject([{ id: damaged.id, error: { code: 'BAD_FORMAT' } }])
    await expectFound(index, [here.packs[1]!])
    await here.backend.put('data', damaged.id, [damaged.bytes])
    await index.refresh()
    expect(index.unreadablePacks).toEqual([])
    await expectFound(index, here.packs)
  })

  test('opening can be interrupted, and goes on the next time', async () => {
    await using here = await fixture(20)
    const controller = new AbortController()
    const opening = here.open({ signal: controller.signal, progress: () => controller.abort() })
    await expect(opening).rejects.toMatchObject({ code: 'INTERRUPTED' })
    await using index = await here.open()
    await expectFound(index, here.packs)
  })
})

describe('an object in two packs', () => {
  test('is found in the other when one is dropped, with its file or without', async () => {
    await using here = await fixture()
    const shared = syntheticIds('shared', 40)
    const packs: SyntheticPack[] = []
    for (const name of ['a', 'b', 'c', 'd']) packs.push(await putPack(here.backend, name, shared))
    await using index = await here.open({ backend: here.backend })
    const remaining = new Set(packs)
    for (const withFile of [true, false, true]) {
      const [location] = await index.locate('chunk', shared.subarray(0, ID_BYTES))
      const copies = await index.locateCopies('chunk', shared.subarray(0, ID_BYTES))
      expect(copies[0]).toEqual(location)
      expect(copies.map(({ pack }) => pack).sort()).toEqual([...remaining].map(({ id }) => id).sort())
      const pack = packs.find(({ id }) => id === location!.pack)!
      if (!withFile) await here.backend.remove('data', pack.id)
      await index.dropPacks([pack.id])
      remaining.delete(pack)
      const found = await index.locate('chunk', shared)
      expect(found.every((other) => [...remaining].some(({ id }) => id === other?.pack))).toBe(true)
    }
    await index.dropPacks([...remaining].map(({ id }) => id))
    expect(await index.locate('chunk', shared)).toEqual(new Array(40).fill(undefined))
  })

  test('twice in one pack it is found, and leaves with it', async () => {
    await using here = await fixture()
    const ids = syntheticIds('x', 3)
    const pack = await putPack(here.backend, 'twice', Buffer.concat([ids, ids]))
    await using index = await here.open()
    expect(await index.locate('chunk', ids)).toMatchObject([{ ordinal: 0 }, { ordinal: 1 }, { ordinal: 2 }])
    expect(await index.locateCopies('chunk', ids.subarray(0, ID_BYTES))).toMatchObject([{ ordinal: 0 }, { ordinal: 3 }])
    await index.dropPacks([pack.id])
    expect(await countFound(index, pack)).toBe(0)
    expect(await index.locateCopies('chunk', ids.subarray(0, ID_BYTES))).toEqual([])
  })
})

describe('dropPacks', () => {
  test('sweeps the entries out of LevelDB when the trailer is there', async () => {
    await using here = await fixture(2)
    {
      await using index = await here.open()
      await index.dropPacks([here.packs[0]!.id])
    }
    const level = new Level<Buffer, Buffer>(here.directory, { keyEncoding: 'buffer', valueEncoding: 'buffer' })
    const keys = await level.keys().all()
    await level.close()
    expect(keys.filter((key) => key.length === 33)).toHaveLength(50)
    expect(keys).toHaveLength(50 + 3) // one pack, the schema, the next pack number
  })

  test('what was dropped does not come back while its file is still there, but does when opened again', async () => {
    await using here = await fixture(2)
    {
      await using index = await here.open()
      await index.dropPacks([here.packs[0]!.id])
      await index.refresh()
      expect(await countFound(index, here.packs[0]!)).toBe(0)
      await index.rebuild()
      expect(await countFound(index, here.packs[0]!)).toBe(0)
    }
    await using index = await here.open()
    await expectFound(index, here.packs)
  })

  test('the number of a dropped pack is never given again', async () => {
    await using here = await fixture(1)
    const [old] = here.packs as [SyntheticPack]
    {
      await using index = await here.open()
      await here.backend.remove('data', old.id)
      await index.dropPacks([old.id]) // its entries stay: the trailer is gone
    }
    await using index = await here.open()
    const other = await putPack(here.backend, 'other', syntheticIds('other', 60))
    await add(index, other)
    expect(await countFound(index, old)).toBe(0)
    await expectFound(index, [other])
  })
})

describe('damage', () => {
  const damages: [string, (directory: string) => Promise<void>][] = [
    ['a deleted folder', (directory) => rm(directory, { recursive: true })],
    ['garbage in CURRENT', (directory) => writeFile(join(directory, 'CURRENT'), 'garbage')],
    ['a deleted CURRENT', (directory) => unlink(join(directory, 'CURRENT'))],
    ['a deleted manifest', async (directory) => unlink(await fileOf(directory, /^MANIFEST/))],
    ['a truncated manifest', async (directory) => truncate(await fileOf(directory, /^MANIFEST/), 20)],
    ['a truncated table', async (directory) => truncate(await fileOf(directory, /\.ldb$/), 1000)],
    ['a deleted table', async (directory) => unlink(await fileOf(directory, /\.ldb$/))],
    ['a table of zeros', async (directory) => fillWithZeros(await fileOf(directory, /\.ldb$/))],
    ['another schema', (directory) => putKey(directory, 's', 'chainkeep index 0')],
    ['a foreign database', (directory) => foreignDatabase(directory)],
  ]

  test.each(damages)('%s: built again from the packs when opened, with a notice', async (_, damage) => {
    await using here = await fixture(4, 500)
    for (let i = 0; i < 2; i++) await (await here.open()).close() // the log becomes a table when opened again
    here.notices.length = 0
    await damage(here.directory)
    {
      await using index = await here.open()
      await expectFound(index, here.packs)
    }
    expect(here.notices).toEqual([expect.stringMatching(/^the.*index.*: building one from 4 packs$/)])
    await using index = await here.open()
    await expectFound(index, here.packs)
    expect(here.notices).toHaveLength(1)
  })

  test('a changed byte in any value is noticed when it is read, and the ordinals stay', async () => {
    await using here = await fixture(3, 200)
    for (let i = 0; i < 2; i++) await (await here.open()).close()
    const table = await fileOf(here.directory, /\.ldb$/)
    const bytes = await readFile(table)
    const victim = here.packs[1]!.entries[7]!
    // The last 28 bytes of the id stand in the table as they are; a sequence number of 8 bytes and the value follow.
    const at = bytes.indexOf(victim.id.subarray(4)) + 36
    here.notices.length = 0
    await using index = await here.open() // finds its tables sound; they are mapped
    const file = await open(table, 'r+')
    await file.write(Uint8Array.of(bytes[at]! ^ 1), 0, 1, at)
    await file.close()
    const before = here.packs.map(({ id }) => index.pack(id)!.firstOrdinal)
    const [first, second] = await Promise.all([countFound(index, here.packs[1]!), countFound(index, here.packs[1]!)])
    expect([first, second]).toEqual([200, 200])
    expect(here.notices).toEqual([expect.stringContaining('is damaged (the index holds a wrong checksum')])
    expect(here.packs.map(({ id }) => index.pack(id)!.firstOrdinal)).toEqual(before)
    await expectFound(index, here.packs)
  })

  test('rebuild makes it anew while others look things up and add', async () => {
    await using here = await fixture(10)
    await using index = await here.open()
    const late = await putPack(here.backend, 'late', syntheticIds('late', 30))
    await Promise.all([
      expectFound(index, here.packs),
      index.rebuild(),
      index.rebuild(),
      add(index, late),
      expectFound(index, here.packs),
    ])
    await expectFound(index, [...here.packs, late])
    expect([...index.packs()]).toHaveLength(11)
  })
})

describe('a second one at the same time', () => {
  test('works on a private copy that goes away, and neither disturbs the other', async () => {
    await using here = await fixture(5, 200)
    await using first = await here.open()
    const reads = here.backend.reads
    {
      await using second = await here.open()
      expect(await privateCopies(here.directory)).toHaveLength(1)
      expect(here.backend.reads).toBe(reads) // it is a copy: no trailer was read
      await expectFound(second, here.packs)
      const ours = await putPack(here.backend, 'ours', syntheticIds('ours', 20))
      await add(second, ours)
      const theirs = await putPack(here.backend, 'theirs', syntheticIds('theirs', 20))
      await add(first, theirs)
      await expectFound(second, [...here.packs, ours])
      await expectFound(first, [...here.packs, theirs])
    }
    expect(await privateCopies(here.directory)).toEqual([])
    await first.refresh()
    expect([...first.packs()]).toHaveLength(7)
    await expectFound(first, here.packs)
  })

  test('the same in another process', async () => {
    await using here = await fixture(3)
    await (await here.open()).close()
    const holder = await holdInAnotherProcess(here.directory)
    here.notices.length = 0
    try {
      await using index = await here.open()
      await expectFound(index, here.packs)
      expect(await privateCopies(here.directory)).toHaveLength(1)
      expect(here.notices).toEqual([])
    } finally {
      holder.kill('SIGKILL')
      await once(holder, 'exit')
    }
  })

  test('opened again and again while the owner writes, it always agrees with the packs', async () => {
    await using here = await fixture()
    await using owner = await here.open()
    const packs: SyntheticPack[] = []
    let writing = true
    const opener = (async () => {
      while (writing) {
        const known = [...packs]
        await using copy = await here.open()
        await expectFound(copy, known.slice(-3))
      }
    })()
    for (let i = 0; i < 60; i++) {
      const pack = await putPack(here.backend, `${i}`, syntheticIds(`${i}`, 300))
      await add(owner, pack)
      packs.push(pack)
    }
    writing = false
    await opener
    await expectFound(owner, packs)
    expect(here.notices).toEqual([])
  })

  test('tables that the owner is just writing are not overwritten through the copy', async () => {
    await using here = await fixture(3)
    await using _first = await here.open()
    const taken = await readdir(here.directory)
    const unfinished = Array.from({ length: 40 }, (_, i) => `${String(i).padStart(6, '0')}.ldb`)
      .filter((name) => !taken.includes(name))
      .map((name) => join(here.directory, name))
    for (const path of unfinished) await writeFile(path, 'half a table')
    await using second = await here.open() // makes a table of the log, whose number is the owner's next, too
    await expectFound(second, here.packs)
    for (const path of unfinished) expect(await readFile(path, 'latin1')).toBe('half a table')
  })

  test('a copy that cannot be made is built from the packs, with a notice', async () => {
    await using here = await fixture(3)
    await using _first = await here.open()
    await unlink(await fileOf(here.directory, /^MANIFEST/))
    here.notices.length = 0
    await using second = await here.open()
    await expectFound(second, here.packs)
    expect(here.notices).toEqual([`the index in ${here.directory} is in use: building one from 3 packs`])
  })

  test('the copies of dead processes are removed, and what they tried to write', async () => {
    await using here = await fixture()
    const copies = `${here.directory}-copies`
    const dead = spawn(process.execPath, ['--version'])
    await once(dead, 'exit')
    const names = {
      dead: `chainkeep-index-${hostname()}-${dead.pid}-aaaaaa`,
      alive: `chainkeep-index-${hostname()}-${process.pid}-aaaaaa`,
      elsewhere: 'chainkeep-index-other.host-1-aaaaaa',
    }
    for (const name of Object.values(names)) await mkdir(join(copies, name, 'lost'), { recursive: true })
    const tried = `chainkeep-index-${hostname()}-${dead.pid}-0123af`
    await mkdir(here.directory, { recursive: true })
    for (const folder of [copies, here.directory]) await writeFile(join(folder, tried), 'to see whether it can')
    await using _index = await here.open()
    expect((await readdir(copies)).sort()).toEqual([names.alive, names.elsewhere].sort())
    expect(await readdir(here.directory)).not.toContain(tried)
  })

  test('where something can be written is tried under a name by which it is removed, should the process die', async () => {
    await using here = await fixture()
    const names = new Set<string | null>()
    const watcher = watch(dirname(here.directory), (_, name) => names.add(name))
    using _watching = { [Symbol.dispose]: () => watcher.close() }
    expect(await whyNotWritable(dirname(here.directory))).toBeUndefined()
    await vi.waitFor(() => expect(names.size).toBe(1))
    expect([...names][0]).toMatch(new RegExp(`^chainkeep-index-${hostname()}-${process.pid}-[A-Za-z0-9]{6}$`))
  })
})

describe('where nothing can be written', () => {
  test('a temporary index takes its place', async () => {
    await using here = await fixture(3)
    const file = join(here.directory, '..', 'file')
    await writeFile(file, '')
    const directory = join(file, 'index') // below a file, where not even root can make a folder
    const before = await temporaryIndexes()
    {
      await using index = await here.open({ directory })
      await expectFound(index, here.packs)
      expect(await temporaryIndexes()).toHaveLength(before.length + 1)
    }
    expect(await temporaryIndexes()).toHaveLength(before.length)
    expect(here.notices).toEqual([expect.stringMatching(/^cannot write an index into .*: building one from 3 packs$/)])
  })

  test.skipIf(process.getuid?.() === 0)('an index that may only be read is copied', async () => {
    await using here = await fixture(3)
    await (await here.open()).close()
    const { chmod } = await import('node:fs/promises')
    const reads = here.backend.reads
    await chmod(here.directory, 0o500)
    try {
      await using index = await here.open()
      await expectFound(index, here.packs)
      expect(here.backend.reads).toBe(reads)
    } finally {
      await chmod(here.directory, 0o700)
    }
  })
})

test('closing twice is closing once', async () => {
  await using here = await fixture(1)
  const index = await here.open()
  await Promise.all([index.close(), index.close()])
  await index.close()
  await (await here.open()).close()
})

test('50 000 objects: all found, memory bounded, opened at once', async () => {
  await using here = await fixture()
  const backend = new MemoryBackend()
  const packs = Array.from({ length: 50 }, (_, i) => syntheticPack(`${i}`, syntheticIds(`${i}`, 1000)))
  for (const pack of packs) await backend.put('data', pack.id, [pack.bytes])
  const before = process.memoryUsage.rss()
  {
    await using index = await here.open()
    for (const pack of packs) await add(index, pack)
    for (const pack of packs) expect(await countFound(index, pack)).toBe(1000)
  }
  expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 2 ** 20)
  const start = performance.now()
  await using index = await here.open({ backend })
  expect(performance.now() - start).toBeLessThan(1000)
  expect(backend.reads).toBe(0)
  await expectFound(index, packs)
})

async function fileOf(directory: string, pattern: RegExp): Promise<string> {
  const name = (await readdir(directory)).find((candidate) => pattern.test(candidate))
  if (!name) throw new Error(`nothing like ${pattern} in ${directory}`)
  return join(directory, name)
}

async function fillWithZeros(path: string): Promise<void> {
  await writeFile(path, Buffer.alloc((await readFile(path)).length))
}

async function putKey(directory: string, key: string, value: string): Promise<void> {
  const level = new Level(directory)
  await level.put(key, value)
  await level.close()
}

async function foreignDatabase(directory: string): Promise<void> {
  await rm(directory, { recursive: true })
  await putKey(directory, 'some', 'thing')
}

async function privateCopies(directory: string): Promise<string[]> {
  const copies = `${directory}-copies`
  return existsSync(copies) ? await readdir(copies) : []
}

async function temporaryIndexes(): Promise<string[]> {
  const ours = `chainkeep-index-${hostname()}-${process.pid}-`
  return (await readdir(tmpdir())).filter((name) => name.startsWith(ours))
}

async function holdInAnotherProcess(directory: string): Promise<ChildProcess> {
  const program = `const { Level } = require('level')
    new Level(${JSON.stringify(directory)}, { compression: false }).open().then(() => { console.log('open'); setInterval(() => {}, 1000) })`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout!, 'data')
  return child
}
