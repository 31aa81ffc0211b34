import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { fuzz } from './loop.ts'

test('no decoder fails on anything, in a short run', async () => {
  await using tmp = await temporaryDirectory()
  const corpus = join(tmp.path, 'corpus')
  cpSync(join(import.meta.dirname, '../../fixtures/corpus'), corpus, { recursive: true })
  const { counts, failures } = await fuzz({ corpus, seed: 1, inputs: 300 })
  expect(failures).toEqual([])
  for (const [target, { inputs, kinds }] of Object.entries(counts))
    expect([target, inputs, kinds > 0]).toEqual([target, 300, true])
  const total = Object.values(counts).reduce((sum, { inputs }) => sum + inputs, 0)
  console.log(`fuzzing: ${total} inputs for ${Object.keys(counts).length} decoders`)
})
