import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ChainkeepError } from '../../src/base/errors.ts'
import { describeFailure } from '../../src/worker/failure.ts'

test('ours as they are', () => {
  const error = new ChainkeepError('CORRUPT', 'pack: changed', { offset: 3 })
  expect(describeFailure(error, 'not used')).toEqual({ code: 'CORRUPT', message: 'pack: changed' })
})

test('errors of the file system with their subject', () => {
  const failure = (): unknown => {
    try {
      return readFileSync('/no/such/file')
    } catch (error) {
      return describeFailure(error, 'cannot read x')
    }
  }
  expect(failure()).toEqual({ code: 'NOT_FOUND', message: 'cannot read x: no such file or directory' })
})

test.each([[new TypeError('mistake')], [new RangeError('x')], ['text'], [undefined]])(
  'anything else is thrown on: %s',
  (thrown) => {
    let caught: unknown
    try {
      describeFailure(thrown)
    } catch (error) {
      caught = error
    }
    expect(caught).toBe(thrown)
  },
)
