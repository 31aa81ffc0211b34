import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ByteReader,
  type ByteString,
  ByteWriter,
  badFormat,
  bufferView,
  byteStringOf,
  copyBytes,
  decodeUtf8,
  displayBytes,
  fromByteString,
  harmlessText,
  isAllZero,
  joinPath,
  pathForFs,
  toByteString,
} from '../../src/base/bytes.ts'
import { isCode } from '../../src/base/errors.ts'

const bytesOf = (text: ByteString): number[] => [...fromByteString(text)]

describe('byte strings', () => {
  test('keep every byte', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(bytesOf(toByteString(bytes))).toEqual([...bytes])
      }),
    )
  })

  test('name the same file for node:fs', () => {
    for (const path of ['/plain name', '/a\nb', '/gr\u00fc', '/\xff'] as ByteString[])
      expect(Buffer.from(pathForFs(path))).toEqual(Buffer.from(path, 'latin1'))
    expect(pathForFs('/plain name' as ByteString)).toBe('/plain name')
  })

  test('compare as bytes do, which UTF-16 does not', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
        const [left, right] = [byteStringOf(a), byteStringOf(b)]
        expect(left < right).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0)
      }),
    )
    const [emoji, privateUse] = ['\u{1f600}', '\uff00']
    expect(emoji < privateUse).toBe(true)
    expect(byteStringOf(emoji) < byteStringOf(privateUse)).toBe(false)
  })

  test('are text where they are UTF-8', () => {
    expect(decodeUtf8(byteStringOf('größe\ufeff'))).toBe('größe\ufeff')
    expect(decodeUtf8('\xff' as ByteString)).toBeUndefined()
    expect(decodeUtf8('\xed\xa0\x80' as ByteString)).toBeUndefined() // half of a surrogate pair
  })

  test('are joined to paths', () => {
    expect(joinPath('/' as ByteString, byteStringOf('a'))).toBe('/a')
    expect(joinPath(byteStringOf('/a'), byteStringOf('b'))).toBe('/a/b')
  })
})

test('a buffer view shares memory and keeps its bounds', () => {
  const memory = new Uint8Array([1, 2, 3, 4])
  const view = bufferView(memory.subarray(1, 3))
  expect([...view]).toEqual([2, 3])
  view[0] = 9
  expect(memory[1]).toBe(9)
  expect(bufferView(view)).toBe(view)
})

describe('copyBytes', () => {
  test('copies between any places, of shared memory too, and touches nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.nat(9), fc.nat(9), fc.boolean(), (bytes, skip, offset, shared) => {
        const length = bytes.length + skip
        const source = new Uint8Array(shared ? new SharedArrayBuffer(length) : new ArrayBuffer(length)).subarray(skip)
        source.set(bytes)
        const target = new Uint8Array(offset + bytes.length + 3).fill(0xee)
        copyBytes(source, target, offset)
        expect([...target]).toEqual([...Array(offset).fill(0xee), ...bytes, 0xee, 0xee, 0xee])
      }),
    )
  })

  test('refuses what does not fit', () => {
    const target = new Uint8Array(10)
    expect(() => copyBytes(new Uint8Array(4).fill(1), target, 7)).toThrow(RangeError)
    expect([...target]).toEqual(Array(10).fill(0))
  })
})

test('isAllZero', () => {
  expect(isAllZero(new Uint8Array())).toBe(false)
  expect(isAllZero(new Uint8Array(1))).toBe(true)
  expect(isAllZero(new Uint8Array(1000))).toBe(true)
  expect(isAllZero(new Uint8Array([5, 5, 5]))).toBe(false)
  for (const at of [0, 1, 500, 999]) expect(isAllZero(new Uint8Array(1000).fill(1, at, at + 1))).toBe(false)
})

describe('displayBytes', () => {
  test.each([
    ['plain text', byteStringOf('wallet.dat'), 'wallet.dat'],
    ['letters beyond ASCII', byteStringOf('größe-データ-😀'), 'größe-データ-😀'],
    ['a line break', byteStringOf('a\nb'), 'a\\x0ab'],
    ['an escape sequence', byteStringOf('\x1b]0;title\x07'), '\\x1b]0;title\\x07'],
    ['DEL', byteStringOf('\x7f'), '\\x7f'],
    ['a control character of C1', byteStringOf('ü\u009b2J'), 'ü\\xc2\\x9b2J'],
    ['text turned around', byteStringOf('\u202egpj.exe'), '\\xe2\\x80\\xaegpj.exe'],
    ['isolates and marks', byteStringOf('\u2066\u200f\u061c'), '\\xe2\\x81\\xa6\\xe2\\x80\\x8f\\xd8\\x9c'],
    ['other line breaks', byteStringOf('\u2028\u2029'), '\\xe2\\x80\\xa8\\xe2\\x80\\xa9'],
    ['what is not UTF-8', 'ü\xff!' as ByteString, '\\xfc\\xff!'],
    ['a backslash', byteStringOf('a\\b\\'), 'a\\b\\'],
    ['what looks like an escape', byteStringOf('\\x41'), '\\x5cx41'],
    ['nothing', '' as ByteString, ''],
  ])('%s', (_, bytes, shown) => expect(displayBytes(bytes)).toBe(shown))

  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 3 }),
    fc.string({ unit: 'binary', maxLength: 3 }).map((text) => Buffer.from(text)),
    fc.constantFrom('\\', '\\x', '\\x41', '\\xff', 'x').map((text) => Buffer.from(text)),
  )
  const anyName = fc.array(piece, { maxLength: 5 }).map((pieces) => toByteString(Buffer.concat(pieces)))

  test('never shows two names alike, nor sends anything to a terminal', () => {
    const undo = (shown: string): Buffer =>
      Buffer.concat(
        shown
          .split(/(\\x[0-9a-f]{2})/)
          .map((part, i) => (i % 2 === 1 ? Buffer.from(part.slice(2), 'hex') : Buffer.from(part))),
      )
    fc.assert(
      fc.property(anyName, (name) => {
        const shown = displayBytes(name)
        expect(shown).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u)
        expect(toByteString(undo(shown))).toBe(name)
      }),
      { numRuns: 2000 },
    )
  })
})

describe('ByteReader', () => {
  const reader = (hex: string, base = 0): ByteReader => new ByteReader(Buffer.from(hex, 'hex'), 'data/ab', base)

  test('reads little-endian fields and knows where it is in the file', () => {
    const fields = reader('01 0203 04050607 0800000000000100 6162 ff'.replaceAll(' ', ''), 1000)
    expect([fields.u8(), fields.u16(), fields.u32(), fields.u64()]).toEqual([1, 0x302, 0x7060504, 2 ** 48 + 8])
    fields.signature('ab', 'a thing')
    expect([fields.remaining, fields.offset]).toEqual([1, 1017])
    expect([...fields.bytesView(1)]).toEqual([255])
    fields.end()
  })

  test('never reads beyond the end', () => {
    const length = 3
    const attempts: ((fields: ByteReader) => unknown)[] = [
      (fields) => fields.u32(),
      (fields) => fields.u64(),
      (fields) => fields.bytesView(length + 1),
      (fields) => fields.bytesView(2 ** 32 - 1),
    ]
    for (const attempt of attempts) {
      const fields = reader('aabbcc', 50)
      expect(() => attempt(fields)).toThrow(
        expect.objectContaining({ code: 'TRUNCATED', details: { file: 'data/ab', offset: 50 } }),
      )
      expect(fields.remaining).toBe(length) // and stays where it was
    }
    expect(() => reader('').u8()).toThrow(expect.objectContaining({ code: 'TRUNCATED' }))
    expect(() => reader('aa').u16()).toThrow(/ends 1 bytes early at offset 0/)
  })

  test('takes u64s up to 2^53 - 1', () => {
    expect(reader('ffffffffffff1f00').u64()).toBe(Number.MAX_SAFE_INTEGER)
    for (const hex of ['0000000000002000', 'ffffffffffffffff'])
      expect(() => reader(hex, 7).u64()).toThrow(
        expect.objectContaining({ code: 'BAD_FORMAT', details: { file: 'data/ab', offset: 7 } }),
      )
  })

  test('refuses another signature, or half of one, and bytes too many', () => {
    expect(() => reader('6163', 5).signature('ab', 'a thing')).toThrow('data/ab: not a thing at offset 5')
    expect(() => reader('61').signature('ab', 'a thing')).toThrow(expect.objectContaining({ code: 'BAD_FORMAT' }))
    expect(() => reader('6162').end()).toThrow('2 bytes too many')
  })

  test('views do not copy', () => {
    const memory = Buffer.from('aabb', 'hex')
    const view = new ByteReader(memory, 'f').bytesView(2)
    memory[0] = 1
    expect(view[0]).toBe(1)
  })

  test('any sequence of reads gives values or a typed error', () => {
    const step = fc.oneof(
      fc.constantFrom('u8' as const, 'u16' as const, 'u32' as const, 'u64' as const, 'end' as const),
      fc.nat(2 ** 32 - 1),
    )
    fc.assert(
      fc.property(fc.uint8Array(), fc.array(step), (bytes, steps) => {
        const fields = new ByteReader(bytes, 'f')
        try {
          for (const each of steps) typeof each === 'number' ? fields.bytesView(each) : fields[each]()
        } catch (error) {
          expect(isCode(error, 'TRUNCATED', 'BAD_FORMAT')).toBe(true)
        }
      }),
    )
  })
})

test('badFormat names file and offset', () => {
  expect(badFormat('meta/x', 12, 'odd')).toMatchObject({
    code: 'BAD_FORMAT',
    message: 'meta/x: odd at offset 12',
    details: { file: 'meta/x', offset: 12 },
  })
})

describe('ByteWriter', () => {
  test('writes what ByteReader reads', () => {
    const u64 = fc.nat(Number.MAX_SAFE_INTEGER)
    fc.assert(
      fc.property(fc.nat(255), fc.nat(65_535), fc.nat(2 ** 32 - 1), u64, fc.uint8Array(), (a, b, c, d, bytes) => {
        const writer = new ByteWriter(18 + bytes.length).u8(a).u16(b).u32(c).u64(d).ascii('end').bytes(bytes)
        const fields = new ByteReader(writer.finish(), 'f')
        expect([fields.u8(), fields.u16(), fields.u32(), fields.u64()]).toEqual([a, b, c, d])
        fields.signature('end', 'the end')
        expect([...fields.bytesView(bytes.length)]).toEqual([...bytes])
        fields.end()
      }),
    )
  })

  test('refuses what does not fit, and to finish early', () => {
    expect(() => new ByteWriter(1).u8(256)).toThrow(RangeError)
    expect(() => new ByteWriter(1).u16(1)).toThrow(RangeError)
    expect(() => new ByteWriter(1).bytes(new Uint8Array(2))).toThrow(RangeError)
    for (const value of [-1, 1.5, 2 ** 53, Number.NaN]) expect(() => new ByteWriter(8).u64(value)).toThrow(RangeError)
    expect(() => new ByteWriter(2).u8(1).finish()).toThrow('1 of 2 bytes written')
    expect(new ByteWriter(2).u8(1).written).toHaveLength(1)
  })
})

test('what is told cannot act on a terminal, but for its colours', () => {
  const told = 'a\tb\n\u001b[32mgreen\u001b[0m'
  expect(harmlessText(told)).toBe(told)
  expect(harmlessText('\u001b]0;title\u0007\u001b[2J\u009b[1m\r\u202e')).toBe(
    '\\x1b]0;title\\x07\\x1b[2J\\xc2\\x9b[1m\\x0d\\xe2\\x80\\xae',
  )
})
