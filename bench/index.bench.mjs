// Puts synthetic objects into the index, then opens it in a fresh process and looks objects up.
//   npm run build && node bench/index.bench.mjs [objects, in millions; default 5]
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ObjectIndex } from '../dist/repository/object-index.js'

const OBJECTS_PER_PACK = 10_000
const ID_BYTES = 32

function run(millions) {
  const packs = Math.round((millions * 1e6) / OBJECTS_PER_PACK)
  const folder = mkdtempSync(join(tmpdir(), 'chainkeep-bench-'))
  const index = join(folder, 'index')
  console.log(
    `${millions} million objects in ${packs} packs; Node ${process.version}, ${cpus().length} x ${cpus()[0].model}`,
  )
  try {
    for (const each of ['put', 'look']) {
      const { status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), each, index, `${packs}`], {
        stdio: 'inherit',
      })
      if (status !== 0) throw new Error(`${each} failed`)
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function put(directory, packs) {
  const index = await ObjectIndex.open({ backend: backendOf(0), directory })
  let spent = 0
  for (let pack = 0; pack < packs; pack++) {
    const entries = entriesOf(pack)
    const start = performance.now()
    await index.addPack(packId(pack), 2 ** 29, entries)
    spent += performance.now() - start
  }
  const objects = packs * OBJECTS_PER_PACK
  await index.close()
  report('put', `${perSecond(objects, spent)}, ${bytesIn(directory)} MB on disk, ${residentPeak()}`)
}

async function look(directory, packs) {
  const start = performance.now()
  const index = await ObjectIndex.open({ backend: backendOf(packs), directory })
  report('open', `${(performance.now() - start).toFixed(0)} ms, ${[...index.packs()].length} packs known`)
  const random = (below) => Math.floor(Math.random() * below)
  const runs = (n) => idsFrom(random(packs), random(OBJECTS_PER_PACK - n), n)
  const hits = (n) =>
    Buffer.concat(Array.from({ length: n }, () => idsFrom(random(packs), random(OBJECTS_PER_PACK), 1)))
  const misses = (n) => idsFrom(packs + random(1e6), 0, n)
  for (const size of [128, 1024]) {
    await measure(index, 'hits in runs', runs, size, size)
    await measure(index, 'random hits', hits, size, size)
    await measure(index, 'misses', misses, size, 0)
  }
  report('memory', residentPeak())
  await index.close()
}

async function measure(index, what, makeIds, size, expected) {
  let spent = 0
  let done = 0
  while (spent < 3000) {
    const ids = makeIds(size)
    const start = performance.now()
    const found = await index.locate('chunk', ids)
    spent += performance.now() - start
    done += size
    const count = found.filter(Boolean).length
    if (count !== expected) throw new Error(`${count} of ${expected} found`)
  }
  report(`${what}, ${size} at once`, perSecond(done, spent))
}

/** Lists packs that are nowhere. */
function backendOf(packs) {
  return {
    location: 'nowhere',
    async *list(kind) {
      if (kind === 'data') for (let pack = 0; pack < packs; pack++) yield packId(pack)
    },
  }
}

const packId = (pack) => createHash('sha256').update(`pack ${pack}`).digest('hex')

function idsFrom(pack, first, count) {
  const ids = Buffer.allocUnsafeSlow(count * ID_BYTES)
  for (let i = 0; i < count; i++)
    createHash('sha256')
      .update(`${pack} ${first + i}`)
      .digest()
      .copy(ids, i * ID_BYTES)
  return ids
}

function entriesOf(pack) {
  const ids = idsFrom(pack, 0, OBJECTS_PER_PACK)
  return Array.from({ length: OBJECTS_PER_PACK }, (_, i) => ({
    id: ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES),
    kind: 'chunk',
    codec: 1,
    offset: 16 + i * 50_000,
    storedLength: 40_000 + (i % 9973),
    plainLength: 65_536 + (i % 9973),
  }))
}

const report = (what, text) => console.log(`${what.padEnd(28)} ${text}`)
const perSecond = (count, ms) => `${Math.round((count / ms) * 1000).toLocaleString('en')} a second`

/** Linux: VmHWM counts mapped tables, too. */
function residentPeak() {
  const status = readFileSync('/proc/self/status', 'latin1')
  const megabytes = (name) => Math.round(Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024)
  return `peak RSS ${megabytes('VmHWM')} MB (now ${megabytes('RssAnon')} MB of its own, ${megabytes('RssFile')} MB mapped)`
}

function bytesIn(directory) {
  const bytes = readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)
  return Math.round(bytes / 2 ** 20)
}

const [phase, directory, packText] = process.argv.slice(2)
if (phase === 'put') await put(directory, Number(packText))
else if (phase === 'look') await look(directory, Number(packText))
else run(Number(phase ?? 5))
