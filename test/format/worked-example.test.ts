import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { idBytes, objectIdAt, parsePackId, parseSnapshotId } from '../../src/base/ids.ts'
import { decodeConfig, encodeConfig } from '../../src/format/config.ts'
import { heal } from '../../src/format/heal.ts'
import { hashObject, openRecord, recordLength } from '../../src/format/object.ts'
import {
  decodePackFooter,
  decodePackHeader,
  decodePackTrailer,
  encodePackEnd,
  encodePackHeader,
  PACK_FOOTER_BYTES,
  PACK_HEADER_BYTES,
} from '../../src/format/pack.ts'
import { decodeParity, encodeParity } from '../../src/format/parity.ts'
import { decodeSnapshot, encodeSnapshot } from '../../src/format/snapshot.ts'
import { joinLeaf } from '../../src/format/tree.ts'

interface Line {
  readonly bytes: Buffer
  readonly remark: string
}

interface Dump {
  readonly prose: string
  readonly lines: readonly Line[]
  readonly bytes: Buffer
}

const document = readFileSync(join(import.meta.dirname, '../../FORMAT.md'), 'utf8')
const examples = readExamples(document.slice(document.indexOf('## 16. A worked example')))
const {
  'A config': config,
  'A pack of two chunks': pack,
  'Parity of that pack': parity,
  'A snapshot': snapshot,
} = examples as Record<string, Dump>

/** The hex dumps below headings of the third level. Their lines must follow one another. */
function readExamples(chapter: string): Record<string, Dump> {
  const sections = chapter.split(/^### /m).slice(1)
  return Object.fromEntries(
    sections.map((section) => {
      const [prose, dump] = section.split('```')
      let offset = 0
      const lines = dump!
        .trim()
        .split('\n')
        .map((line): Line => {
          const [, at, hex, remark] = /^([0-9a-f]{4}) {2}((?:[0-9a-f]{2} ?)+) *(.*)$/.exec(line)!
          expect(Number.parseInt(at!, 16), line).toBe(offset)
          const bytes = Buffer.from(hex!.replaceAll(' ', ''), 'hex')
          offset += bytes.length
          return { bytes, remark: remark! }
        })
      return [prose!.split('\n')[0], { prose: prose!, lines, bytes: Buffer.concat(lines.map(({ bytes }) => bytes)) }]
    }),
  )
}

const sha3 = (bytes: Uint8Array): string => createHash('sha3-256').update(bytes).digest('hex')
const shake = (bytes: Uint8Array): string => createHash('shake256', { outputLength: 32 }).update(bytes).digest('hex')

test('there are a config, a pack with its parity, and a snapshot', () => {
  expect(Object.keys(examples)).toEqual(['A config', 'A pack of two chunks', 'Parity of that pack', 'A snapshot'])
})

test('lengths and offsets in remarks are those in the bytes', () => {
  const numbers = /^(?:stored length|plain length|record \d is at|the body has|length of the (?:trailer|pack):) (\d+)/
  let checked = 0
  for (const { bytes, remark } of Object.values(examples).flatMap(({ lines }) => lines)) {
    const number = numbers.exec(remark)?.[1]
    if (number === undefined) continue
    expect(bytes.readUIntLE(0, Math.min(bytes.length, 6)), remark).toBe(Number(number))
    checked++
  }
  expect(checked).toBe(17)
})

test('the config', () => {
  const decoded = decodeConfig(config!.bytes, 'example')
  expect(decoded).toEqual({
    version: 1,
    repositoryId: '000102030405060708090a0b0c0d0e0f',
    createdMs: Date.parse('2023-11-14T22:13:20Z'),
    chunker: { minBytes: 16_384, averageBytes: 65_536, maxBytes: 262_144, level: 1, segmentBytes: 2 ** 26 },
    readFeatures: [],
    writeFeatures: [],
  })
  expect(Buffer.from(encodeConfig(decoded)).equals(config!.bytes)).toBe(true)
  expect(config!.bytes.subarray(-32).toString('hex')).toBe(sha3(config!.bytes.subarray(0, -32)))
})

describe('the pack', () => {
  const { bytes, prose } = pack!
  const header = bytes.subarray(0, PACK_HEADER_BYTES)
  const footer = decodePackFooter(bytes.subarray(-PACK_FOOTER_BYTES), 'example', bytes.length)
  const trailer = bytes.subarray(footer.trailerOffset, -PACK_FOOTER_BYTES)
  const entries = decodePackTrailer(trailer, header, footer, 'example')

  test('has the name that its header and trailer give it', () => {
    expect(sha3(Buffer.concat([header, trailer]))).toBe(footer.id)
    expect(prose).toContain(`\`data/${footer.id.slice(0, 2)}/${footer.id}\``)
  })

  test('holds what is said, raw and compressed', () => {
    const plains = entries.map((entry) => {
      const record = bytes.subarray(entry.offset, entry.offset + recordLength(entry))
      return Buffer.from(openRecord(record, 'chunk', objectIdAt(entry.id), 'example', entry.offset))
    })
    expect(plains).toEqual([Buffer.from('hello'), Buffer.alloc(200)])
    expect(entries.map(({ codec }) => codec)).toEqual([0, 1])
    expect(entries.map(({ id }) => objectIdAt(id))).toEqual(plains.map(sha3))
  })

  test('is what is written for these records', () => {
    expect(decodePackHeader(header, 'example')).toBe('data')
    expect(Buffer.from(encodePackHeader('data', header.subarray(8))).equals(header)).toBe(true)
    expect(Buffer.from(encodePackEnd(header, entries).bytes).equals(bytes.subarray(footer.trailerOffset))).toBe(true)
  })
})

test('the snapshot', () => {
  const { bytes, prose } = snapshot!
  const id = parseSnapshotId(shake(bytes.subarray(32)))
  expect(prose).toContain(`\`snapshots/${id}\``)
  const decoded = decodeSnapshot(bytes, id, 'example')
  expect(decoded).toMatchObject({
    kind: 'full',
    host: 'node',
    tags: ['daily'],
    program: 'chainkeep 0.1.0',
    paths: ['/'],
  })
  const again = encodeSnapshot(decoded, { compressInto: () => undefined })
  expect(again.id).toBe(id)
  expect(Buffer.from(again.bytes).equals(bytes)).toBe(true)
  const emptyTree = Buffer.from('820080', 'hex')
  expect(Buffer.from(joinLeaf([])).equals(emptyTree)).toBe(true)
  expect(Buffer.from(idBytes(decoded.tree)).equals(Buffer.from(hashObject('tree', emptyTree)))).toBe(true)
})

test('the parity', () => {
  const id = parsePackId(/parity\/..\/([0-9a-f]{64})/.exec(parity!.prose)![1]!)
  const name = { packClass: 'data', id } as const
  expect(Buffer.concat(encodeParity(pack!.bytes, { ...name, percent: 10 })).equals(parity!.bytes)).toBe(true)
  const decoded = decodeParity(parity!.bytes, name, 'example')
  expect(decoded).toMatchObject({ isSound: true, header: { percent: 10, packBytes: pack!.bytes.length } })
  expect(pack!.bytes.equals(heal(Buffer.alloc(9), decoded) ?? Buffer.alloc(0))).toBe(true)
})
