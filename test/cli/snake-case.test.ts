import { expect, test } from 'vitest'
import { snakeCaseFields } from '../../src/cli/snake-case.ts'

test('renames fields at every depth, and nothing else', () => {
  expect(
    snakeCaseFields({ repositoryId: 'aB', chunker: { minBytes: 1, level: 2 }, readFeatures: ['aB'], none: null }),
  ).toEqual({ repository_id: 'aB', chunker: { min_bytes: 1, level: 2 }, read_features: ['aB'], none: null })
})
