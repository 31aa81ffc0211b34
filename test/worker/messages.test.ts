import { describe, expect, test } from 'vitest'
import { ChainkeepError } from '../../src/base/errors.ts'
import { decodeError, encodeError } from '../../src/worker/messages.ts'

const roundTrip = (error: unknown): Error => decodeError(structuredClone(encodeError(error)))

describe('errors on their way between threads', () => {
  test('ours keep class, code, message and stack', () => {
    const error = new ChainkeepError('CORRUPT', 'changed', { offset: 5n, weird: () => {} })
    const copy = roundTrip(error)
    expect(copy).toBeInstanceOf(ChainkeepError)
    expect(copy).toMatchObject({ code: 'CORRUPT', message: 'changed', stack: error.stack })
  })

  test('others keep message and stack', () => {
    const error = new TypeError('mistake')
    const copy = roundTrip(error)
    expect(copy).not.toBeInstanceOf(ChainkeepError)
    expect(copy).toMatchObject({ message: 'mistake', stack: error.stack })
  })

  test.each([['text'], [undefined], [null], [5]])('what is no error at all becomes one: %s', (thrown) => {
    expect(roundTrip(thrown)).toMatchObject({ name: 'Error', message: String(thrown) })
  })

  test('an error without a stack', () => {
    const error = new Error('bare')
    delete error.stack
    expect(roundTrip(error).message).toBe('bare')
  })
})
