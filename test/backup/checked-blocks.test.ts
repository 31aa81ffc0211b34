import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BlockReader, BlockWriter } from '../../src/backup/checked-blocks.ts'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory
let path: string
let files = 0
beforeEach(async () => {
  tmp = await temporaryDirectory()
  path = join(tmp.path, `${files++}`)
})
afterEach(() => tmp[Symbol.asyncDispose]())

function write(content: Uint8Array, blockBytes = 100, step = 30): void {
  const writer = new BlockWriter(path, blockBytes)
  for (let at = 0; at < content.length; at += step) writer.push(content.subarray(at, at + step))
  writer.flush()
  writer.close()
}

/** What can be read, byte by byte. */
function readAll(): Buffer {
  const reader = new BlockReader(path)
  const bytes: number[] = []
  for (let byte = reader.take(1); byte; byte = reader.take(1)) bytes.push(byte[0]!)
  reader.close()
  return Buffer.from(bytes)
}

test('what was written is read, however it is divided', () => {
  const positive = fc.integer({ min: 1, max: 300 })
  fc.assert(
    fc.property(fc.nat(2000), positive, positive, fc.array(positive), (length, blockBytes, step, takes) => {
      path = join(tmp.path, `${files++}`)
      const content = seededBytes(length, length)
      write(content, blockBytes, step)
      const reader = new BlockReader(path)
      for (let at = 0; at <= length; ) {
        const take = takes.pop() ?? 1
        const expected = at + take <= length ? Buffer.from(content.subarray(at, at + take)) : undefined
        const taken = reader.take(take)
        expect(taken && Buffer.from(taken)).toEqual(expected)
        at += take
      }
      reader.close()
    }),
    { numRuns: 50 },
  )
})

test('numbers, texts and bytes behind their lengths are read as they were written, across blocks', () => {
  const text = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((byte) => String.fromCharCode(byte)),
    maxLength: 255,
  })
  const record = fc.record({ byte: fc.nat(255), size: fc.constantFrom(1 as const, 2 as const, 4 as const), text })
  fc.assert(
    fc.property(fc.array(record), fc.integer({ min: 1, max: 300 }), (records, blockBytes) => {
      path = join(tmp.path, `${files++}`)
      const writer = new BlockWriter(path, blockBytes)
      for (const { byte, size, text } of records)
        writer.u8(byte).sized(size, text).sized(size, Buffer.from(text, 'latin1'))
      writer.flush()
      writer.close()
      const reader = new BlockReader(path)
      for (const { byte, size, text } of records) {
        expect(reader.number(1)).toBe(byte)
        expect(reader.textSized(size)).toBe(text)
        expect(reader.takeSized(size)!.toString('latin1')).toBe(text)
      }
      expect([reader.number(1), reader.textSized(1), reader.takeSized(2)]).toEqual([undefined, undefined, undefined])
      reader.close()
    }),
    { numRuns: 50 },
  )
})

test('what is longer than a block is a block', () => {
  const long = seededBytes(1, 100_000)
  write(long, 100, 100_000)
  expect(readFileSync(path)).toHaveLength(100_008)
  expect(readAll().equals(long)).toBe(true)
})

test('bytes that tell their length', () => {
  write(Buffer.concat([Buffer.of(3), Buffer.from('abc'), Buffer.of(2, 0), Buffer.from('de'), Buffer.of(9, 0, 0, 0, 1)]))
  const reader = new BlockReader(path)
  const text = (size: 1 | 2 | 4): string | undefined => {
    const taken = reader.takeSized(size)
    return taken && Buffer.from(taken).toString()
  }
  expect([text(1), text(2), text(4), text(1)]).toEqual(['abc', 'de', undefined, undefined])
  reader.close()
})

test('what is not flushed is given up, and an existing file is not written to', () => {
  const writer = new BlockWriter(path, 100)
  writer.push(Buffer.from('lost'))
  writer.close()
  writer.close()
  expect(statSync(path).size).toBe(0)
  expect(() => new BlockWriter(path, 100)).toThrow('EEXIST')
})

test('the end is where the file was cut off', () => {
  const content = seededBytes(1, 1000)
  write(content, 90)
  const { size } = statSync(path)
  for (let length = size - 1; length >= 0; length -= 13) {
    truncateSync(path, length)
    const whole = Math.floor(length / 98) * 90 // 8 bytes of each block are its head
    expect(readAll().equals(content.subarray(0, whole)), `${length} bytes`).toBe(true)
  }
})

test('the end is before a damaged block, whatever it says', () => {
  const content = seededBytes(1, 1000)
  write(content, 90)
  const sound = readFileSync(path)
  for (let at = 0; at < sound.length; at += 7) {
    const damaged = Buffer.from(sound)
    damaged[at]! ^= 0x80
    writeFileSync(path, damaged)
    expect(readAll().equals(content.subarray(0, Math.floor(at / 98) * 90)), `byte ${at}`).toBe(true)
  }
})

test('a file that is none has nothing', () => {
  const huge = Buffer.alloc(12)
  huge.writeUInt32LE(2 ** 24 + 1)
  for (const content of ['', 'short', 'some text of any program', huge]) {
    writeFileSync(path, content)
    expect(readAll()).toHaveLength(0)
  }
  expect(() => new BlockReader(join(tmp.path, 'missing'))).toThrow('ENOENT')
  path = tmp.path
  expect(readAll()).toHaveLength(0)
})
