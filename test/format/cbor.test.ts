import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { byteStringOf } from '../../src/base/bytes.ts'
import { CborMap, cborMap, decodeCbor, encodeCbor } from '../../src/format/cbor.ts'
import { expectRefusal, truncations } from '../helpers/refusals.ts'

const hex = (value: unknown): string => Buffer.from(encodeCbor(value)).toString('hex')
const decoded = (digits: string): unknown => decodeCbor(Buffer.from(digits.replaceAll(' ', ''), 'hex'), 'file')

describe('encoding is deterministic', () => {
  test.each([
    [23, '17'],
    [24, '1818'],
    [65_536, '1a00010000'],
    [-1, '20'],
    [5n, '05'],
    [-5n, '24'],
    [1_700_000_000_000_000_000n, '1b17979cfe362a0000'],
    [-(2n ** 63n), '3b7fffffffffffffff'],
    [2 ** 53 - 1, '1b001fffffffffffff'],
    ['ü', '62c3bc'],
    [new Uint8Array([1, 2]), '420102'],
    [Buffer.from([1, 2]), '420102'],
    [[1, [true]], '820181f5'],
  ])('%s', (value, expected) => expect(hex(value)).toBe(expected))

  test('keys are sorted by their encoding, whatever the order of insertion', () => {
    expect(hex(cborMap(Object.entries({ b: 1, aa: 2, a: 3 })))).toBe('a361610361620162616102')
    expect(
      hex(
        cborMap([
          [24, 1],
          [1, 2],
          ['a', 3],
        ]),
      ),
    ).toBe('a30102181801616103')
  })

  test('fields without a value are left out', () => {
    const entries: [string, unknown][] = [
      ['a', undefined],
      ['b', 0],
    ]
    expect([...cborMap(entries).keys()]).toEqual(['b'])
  })
})

describe('decoding refuses', () => {
  test.each([
    ['nothing', ''],
    ['a number longer than necessary', '1817'],
    ['a length longer than necessary', '580100'],
    ['trailing bytes', '0000'],
    ['a key that comes twice', 'a2 0101 0102'],
    ['an array of indefinite length', '9f01ff'],
    ['bytes of indefinite length', '5f4101ff'],
    ['a tag', 'c101'],
    ['undefined', 'f7'],
    ['infinity', 'f97c00'],
    ['no number', 'f97e00'],
    ['a simple value', 'f820'],
    ['a break', 'ff'],
    ['a reserved head', '1c'],
    ['bytes that are not there', '42ff'],
    ['2^64 bytes', '5bffffffffffffffff'],
    ['2^48 items', '9b0000ffffffffffff'],
    ['2^32 pairs', 'ba7fffffff0101'],
  ])('%s', (_, digits) => {
    const error = expectRefusal(() => decoded(digits), 'BAD_FORMAT', 'file')
    expect(error.details).toEqual({ file: 'file', offset: 0 })
  })

  test('nesting without end', () => {
    for (const depth of [1e4, 1e6])
      expectRefusal(() => decodeCbor(new Uint8Array(depth).fill(0x81), 'file'), 'BAD_FORMAT', 'file')
  })

  test('every truncation', () => {
    const bytes = encodeCbor(cborMap([['key', [1, -700_000, 'text', new Uint8Array(30), cborMap([[1, true]])]]]))
    for (const short of truncations(bytes)) expectRefusal(() => decodeCbor(short, 'file'), 'BAD_FORMAT', 'file')
  })
})

test('decoding is the inverse of encoding', () => {
  const leaf = fc.oneof(
    fc.maxSafeInteger(),
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array(),
    fc.boolean(),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
    fc.bigInt({ min: -(2n ** 64n), max: -(2n ** 53n) }),
  )
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.string(), tie('value'), { maxKeys: 4 }).map((each) => new Map(Object.entries(each))),
    ),
  }))
  fc.assert(
    fc.property(value, (original) => {
      const bytes = encodeCbor(original)
      const again = decodeCbor(bytes, 'file')
      expect(again).toEqual(original)
      expect(encodeCbor(again)).toEqual(bytes)
    }),
  )
})

describe('CborMap', () => {
  const values: Record<string, unknown> = {
    integer: 7,
    negative: -7,
    huge: 2n ** 63n,
    bigint: -(2n ** 63n),
    fraction: 1.5,
    text: 'text',
    bytes: Buffer.from('bytes'),
    id: Buffer.alloc(32, 0xab),
    true: true,
    false: false,
    null: null,
    texts: ['a', 'b'],
    mixed: ['a', 1],
    map: new Map([['inner', 'x']]),
  }
  const map = new CborMap(new Map(Object.entries(values)), 'file')

  test('gives fields of the right type', () => {
    expect(map.integer('integer')).toBe(7)
    expect(map.integer('negative', -10, 0)).toBe(-7)
    expect(map.bigint('integer')).toBe(7n)
    expect(map.bigint('bigint')).toBe(-(2n ** 63n))
    expect(map.text('text')).toBe('text')
    expect(map.byteString('bytes')).toBe(byteStringOf('bytes'))
    expect(map.id('id')).toHaveLength(32)
    expect([map.flag('true'), map.flag('absent')]).toEqual([true, false])
    expect(map.texts('texts')).toEqual(['a', 'b'])
    expect(map.map('map').text('inner')).toBe('x')
    expect([map.optionalInteger('absent'), map.optionalText('absent')]).toEqual([undefined, undefined])
    expect([map.optionalInteger('integer'), map.optionalText('text')]).toEqual([7, 'text'])
  })

  const readers: Record<string, { read: (key: string) => unknown; fits: string[] }> = {
    integer: { read: (key) => map.integer(key), fits: ['integer'] },
    'small integer': { read: (key) => map.integer(key, 0, 6), fits: [] },
    'optional integer': { read: (key) => map.optionalInteger(key), fits: ['integer', 'absent'] },
    bigint: { read: (key) => map.bigint(key), fits: ['integer', 'negative', 'bigint'] },
    text: { read: (key) => map.text(key), fits: ['text'] },
    'optional text': { read: (key) => map.optionalText(key), fits: ['text', 'absent'] },
    bytes: { read: (key) => map.bytes(key), fits: ['bytes', 'id'] },
    id: { read: (key) => map.id(key), fits: ['id'] },
    flag: { read: (key) => map.flag(key), fits: ['true', 'absent'] },
    array: { read: (key) => map.array(key), fits: ['texts', 'mixed'] },
    texts: { read: (key) => map.texts(key), fits: ['texts'] },
    map: { read: (key) => map.map(key), fits: ['map'] },
  }

  test.each(Object.entries(readers))('%s refuses any other', (_, { read, fits }) => {
    for (const key of [...Object.keys(values), 'absent'])
      if (fits.includes(key)) read(key)
      else expect(expectRefusal(() => read(key), 'BAD_FORMAT', 'file').message).toContain(`field ${key}`)
  })

  test('is made of maps only', () => {
    for (const value of [undefined, null, 1, 'x', [], {}])
      expectRefusal(() => new CborMap(value, 'file'), 'BAD_FORMAT', 'file')
  })
})
