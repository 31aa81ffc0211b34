import { createRequire } from 'node:module'
import { crc32 } from 'node:zlib'
import { ChainkeepError } from '../base/errors.ts'
import { ID_BYTES } from '../base/ids.ts'
import type { Crc32 } from './crc32.ts'
import { GEAR_HIGH, GEAR_LOW, MASKS } from './gear.ts'
import type { HashChunks } from './hash.ts'
import type { AddProducts } from './products.ts'
import type { CutParameters, FindCuts } from './scan.ts'
import type { ApplyXorKey } from './xor-key.ts'

/**
 * The addon in C of `src/native/kernel`, built at install where that is possible (`kernel/build.mjs`). It does the same
 * as TypeScript and OpenSSL do, faster: `findCuts` of scan.ts, `hashChunks` of hash.ts by hashing several chunks at once in
 * the lanes of vector instructions, and `addProducts` of products.ts. Everything works without it.
 */
export interface Kernel {
  /** How it hashes. */
  readonly path: HashPath
  /** `parameters` must be checked already. */
  createFindCuts(parameters: CutParameters): FindCuts
  /** Undefined where OpenSSL is as fast. For a single chunk it always is. */
  readonly hashChunks: HashChunks | undefined
  readonly applyXorKey: ApplyXorKey
  /** Undefined where the processor has nothing better than zlib. */
  readonly crc32: Crc32 | undefined
  /** Undefined where the addon is from before it had them. */
  readonly addProducts: AddProducts | undefined
}

/** Ways to hash, by the instructions that they need. */
export type HashPath = 'avx512' | 'avx2' | 'neon' | 'portable'
/** Ways to multiply. */
export type ProductsPath = 'gfni512' | 'gfni256' | 'avx2' | 'portable'

/**
 * What the addon exports. It checks all that it is given, and throws RangeError for what does not fit. One that was built from
 * older sources lacks what came later: `pickKernel` takes none of which the known answers cannot be asked.
 */
export interface Addon {
  findCuts(
    bytes: Uint8Array,
    start: number,
    end: number,
    last: boolean,
    ends: Uint32Array,
    scanner: BigUint64Array,
  ): number
  readonly applyXorKey: ApplyXorKey
  /** Absent where the processor lacks the instructions. */
  readonly crc32?: Crc32
  /** Those that the processor and the operating system can run, the fastest first. */
  readonly hashChunks: Readonly<Partial<Record<HashPath, HashChunks>>>
  /** The same; without them all else is used nevertheless. */
  readonly addProducts?: Readonly<Partial<Record<ProductsPath, AddProducts>>>
}

let found: { readonly kernel: Kernel | undefined } | undefined

/** The kernel, or undefined where there is none; loaded and checked at the first call, in about 4 ms. Throws as `pickKernel`. */
export function kernel(): Kernel | undefined {
  found ??= { kernel: pickKernel(loadAddon, process.env.CHAINKEEP_KERNEL) }
  return found.kernel
}

/** Undefined where it was not built, or for another machine. */
export function loadAddon(): Addon | undefined {
  try {
    return require('#kernel') as Addon
  } catch {
    return undefined
  }
}

/**
 * What to use of the addon: of the paths with vector instructions the fastest that gives right answers, or the one that is
 * `forced`, for tests and benchmarks; with `off`, nothing. Throws UNSUPPORTED if a forced path is not to be had.
 */
export function pickKernel(load: () => Addon | undefined, forced: string | undefined): Kernel | undefined {
  if (forced === 'off') return undefined
  const addon = load()
  const paths = Object.keys(addon?.hashChunks ?? {}) as HashPath[]
  const isRight = (path: HashPath): boolean => answersRight(() => hashesRight(addon!.hashChunks[path]!))
  const path = forced
    ? paths.find((path) => path === forced && isRight(path))
    : paths.find((path) => path !== 'portable' && isRight(path))
  const isSound = addon?.hashChunks !== undefined && answersRight(() => cutsRight(addon) && xorsRight(addon))
  if (forced && !(path && isSound))
    throw new ChainkeepError('UNSUPPORTED', `there is no ${forced} kernel here, as CHAINKEEP_KERNEL wants it`)
  if (!isSound) return undefined
  return {
    path: path ?? 'portable',
    createFindCuts: (parameters) => createKernelFindCuts(addon, parameters),
    hashChunks: path && addon.hashChunks[path],
    applyXorKey: addon.applyXorKey,
    crc32: forced === 'portable' || forced === 'avx2' || !crcsRight(addon) ? undefined : addon.crc32,
    addProducts: pickProducts(addon, forced),
  }
}

/** The fastest that is right; where another path is forced for hashing, one that needs no more than that. */
function pickProducts({ addProducts = {} }: Addon, forced: string | undefined): AddProducts | undefined {
  const paths: readonly ProductsPath[] = ['gfni512', 'gfni256', 'avx2', 'portable']
  const allowed = paths.slice(forced === 'portable' || forced === 'avx2' ? paths.indexOf(forced) : 0)
  return allowed.map((path) => addProducts[path]).find((add) => add && answersRight(() => multipliesRight(add)))
}

/** An addon may be from other sources than these: what it lacks, or refuses, is no right answer. */
function answersRight(ask: () => boolean): boolean {
  try {
    return ask()
  } catch {
    return false
  }
}

/** `FindCuts` of the addon. */
export function createKernelFindCuts(addon: Addon, parameters: CutParameters): FindCuts {
  const scanner = scannerOf(parameters)
  return (bytes, start, end, last, ends) => addon.findCuts(bytes, start, end, last, ends, scanner)
}

/** `struct scanner` of kernel/scan.h. */
function scannerOf({ minBytes, averageBytes, maxBytes, level }: CutParameters): BigUint64Array {
  const bits = Math.round(Math.log2(averageBytes))
  const numbers = [minBytes, averageBytes, maxBytes, MASKS[bits + level]!, MASKS[bits - level]!]
  const gear = GEAR_HIGH.map((high, byte) => high * 2 ** 24 + GEAR_LOW[byte]!)
  return BigUint64Array.from([...numbers, ...gear], BigInt)
}

/** Whether chunks that fill all lanes, and end at different times, have the hashes of NIST's examples. */
function hashesRight(hashChunks: HashChunks): boolean {
  const rounds = 9
  const bytes = Buffer.alloc(rounds * 203, Buffer.concat([Buffer.from('abc'), Buffer.alloc(200, 0xa3)]))
  const ends = Uint32Array.from({ length: 3 * rounds }, (_, i) => 203 * Math.floor(i / 3) + [0, 3, 203][i % 3]!)
  const ids = Buffer.alloc(ends.length * ID_BYTES)
  const expected = Buffer.from(SHA3_EXAMPLES.join(''), 'hex')
  hashChunks(bytes, 0, ends, ends.length, ids, 0)
  return ids.equals(Buffer.alloc(ids.length, expected))
}

/** Of nothing, `abc`, and 200 bytes of a3. */
const SHA3_EXAMPLES = [
  'a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a',
  '3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532',
  '79f38adec5c20307a98ef76e8324afbfd46cfd81b22e3973c65fa1bd9de31787',
]

/**
 * Whether bytes in disorder and a run of zeros are cut where the reference cuts them: into small chunks, and into larger
 * ones, of which the first end in each of the lanes that the kernel searches at once.
 */
function cutsRight(addon: Addon): boolean {
  const bytes = new Uint8Array(12_301)
  for (let i = 0; i < 7800; i++) bytes[i] = (i * i * 111) >>> 7
  const endsFrom = (start: number, averageBytes: number): string => {
    const ends = new Uint32Array(100)
    const findCuts = createKernelFindCuts(addon, { minBytes: 64, averageBytes, maxBytes: 4 * averageBytes, level: 1 })
    return ends.subarray(0, findCuts(bytes, start, bytes.length, true, ends)).join()
  }
  return endsFrom(5300, 256) === KNOWN_ENDS && endsFrom(1, 8192) === KNOWN_LARGER
}

function xorsRight({ applyXorKey }: Addon): boolean {
  const target = Buffer.alloc(27)
  applyXorKey(Buffer.alloc(27, 'abc'), Buffer.from('12345678'), target)
  return target.toString('hex') === KNOWN_XORED
}

/** Whether bytes enough for every kind of step have the checksum that they have by its definition. */
const crcsRight = ({ crc32 }: Addon): boolean =>
  crc32?.(Uint8Array.from({ length: 1013 }, (_, i) => (i * i * 31) >>> 7)) === KNOWN_CRC

const KNOWN_CRC = 1161354636

const KNOWN_XORED = '505050555755565a5253515754545459535152565657555b505050'

/** Whether rows long enough for every kind of step, of five sources and two targets, become what the reference makes of them. */
function multipliesRight(addProducts: AddProducts): boolean {
  const sources = Uint8Array.from({ length: 5 * 203 }, (_, i) => (i * i * 31) >>> 7)
  const targets = new Uint8Array(2 * 203).fill(7)
  addProducts(Uint8Array.of(1, 2, 0x53, 0xca, 255, 0, 128, 3, 29, 77), sources, targets, 203)
  return crc32(targets) === KNOWN_PRODUCTS
}

const KNOWN_PRODUCTS = 3400283129

const KNOWN_ENDS = '5614,5988,6102,6225,6291,6857,7298,7445,7613,8637,9661,10685,11709,12301'
const KNOWN_LARGER = '328,4300,5583,7727,12301'

/** From the package's root, whose package.json says where `#kernel` is: `dist` has one of its own. */
const require: NodeJS.Require = createRequire(new URL('../../package.json', import.meta.url))
