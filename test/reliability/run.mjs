// The complete forms of the tests of reliability:
//
//   node test/reliability/run.mjs NAME... [--seed S] [--rounds N] [--seconds N] [--on-disk]
//
// NAME is crash, failing-calls, full-disk, kill, stress or interleaving; another seed, other interleavings, damage and moments.
// They work in memory (/dev/shm), which is faster, unless told to do so on the disk of the temporary directory.

import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '60' },
    'on-disk': { type: 'boolean', default: false },
  },
})
const env = {
  ...process.env,
  CHAINKEEP_TEST_FORM: 'complete',
  CHAINKEEP_TEST_SEED: values.seed,
  CHAINKEEP_TEST_ROUNDS: values.rounds,
  CHAINKEEP_TEST_SECONDS: values.seconds,
  CHAINKEEP_TEST_ON_DISK: String(values['on-disk']),
}
const files = positionals.map((name) => `test/reliability/${name}.test.ts`)
const { status } = spawnSync('npx', ['vitest', 'run', ...files, '--disable-console-intercept'], {
  env,
  stdio: 'inherit',
})
process.exitCode = status ?? 1
