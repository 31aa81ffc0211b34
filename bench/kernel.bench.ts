/**
 * MB/s of the kernel's functions beside those of TypeScript and OpenSSL, on one core: finding cuts in random bytes and in
 * zeros, and hashing 4 MiB as chunks of one length, one call for all. The best of rounds that alternate.
 */
import { randomBytes } from 'node:crypto'
import { cpus } from 'node:os'
import { type HashChunks, hashChunksOneByOne } from '../src/native/hash.ts'
import { createKernelFindCuts, loadAddon } from '../src/native/kernel.ts'
import { createReferenceFindCuts, endsAtMost, type FindCuts } from '../src/native/scan.ts'

const addon = loadAddon()
if (!addon) console.log('the kernel was not built: only what works without it')
console.log(`${cpus()[0]?.model}, Node ${process.version}: MB/s`)

const parameters = { minBytes: 16 * 1024, averageBytes: 64 * 1024, maxBytes: 256 * 1024, level: 1 }
const scanners: Record<string, FindCuts> = { TypeScript: createReferenceFindCuts(parameters) }
if (addon) scanners.kernel = createKernelFindCuts(addon, parameters)
const noise = new Uint8Array(randomBytes(32 * 2 ** 20))
const zeros = new Uint8Array(noise.length).fill(1).fill(0) // written to, or all its pages are one
const room = new Uint32Array(endsAtMost(noise.length, parameters))
for (const [what, bytes] of Object.entries({ noise, zeros }))
  report(`cuts in ${what}`, bytes.length, scanners, (findCuts) => findCuts(bytes, 0, bytes.length, true, room))

const slice = noise.subarray(0, 4 * 2 ** 20)
const hashers: Record<string, HashChunks> = { OpenSSL: hashChunksOneByOne, ...addon?.hashChunks }
for (const length of [256, 4096, 65_536, 262_144]) {
  const ends = Uint32Array.from({ length: slice.length / length }, (_, i) => (i + 1) * length)
  const ids = new Uint8Array(ends.length * 32)
  report(`ids of ${length} bytes`, slice.length, hashers, (hash) => hash(slice, 0, ends, ends.length, ids, 0))
}
for (const count of [1, 2, 4, 8]) {
  const ends = Uint32Array.from({ length: count }, (_, i) => (i + 1) * 65_536)
  const ids = new Uint8Array(ends.length * 32)
  report(`${count} x 65536 bytes`, count * 65_536, hashers, (hash) => hash(slice, 0, ends, count, ids, 0))
}

function report<T>(what: string, length: number, implementations: Record<string, T>, run: (it: T) => void): void {
  const best = new Map<string, number>()
  for (let round = 0; round < 7; round++)
    for (const [name, implementation] of Object.entries(implementations)) {
      const start = performance.now()
      for (let done = 0; done < 16 * 2 ** 20; done += length) run(implementation)
      const rounds = Math.ceil((16 * 2 ** 20) / length)
      const milliseconds = (performance.now() - start) / rounds
      best.set(name, Math.min(best.get(name) ?? Number.POSITIVE_INFINITY, milliseconds))
    }
  const columns = [...best].map(([name, milliseconds]) => `${name} ${Math.round(length / 1000 / milliseconds)}`)
  console.log(`${what.padEnd(20)} ${columns.map((column) => column.padEnd(15)).join(' ')}`)
}
