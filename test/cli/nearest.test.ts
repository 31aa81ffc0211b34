import { expect, test } from 'vitest'
import { nearest } from '../../src/cli/nearest.ts'

const kinds = ['incremental', 'differential', 'full']

test.each([
  ['ful', 'full'],
  ['fulll', 'full'],
  ['flul', 'full'],
  ['FULL', 'full'],
  ['incremenal', 'incremental'],
  ['diferential', 'differential'],
])('%s is nearest to %s', (word, expected) => expect(nearest(word, kinds)).toBe(expected))

test.each(['', 'x', 'everything', 'fxxx'])('%j is near to nothing', (word) =>
  expect(nearest(word, kinds)).toBeUndefined(),
)
