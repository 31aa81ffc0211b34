import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { isAlive } from '../../src/base/processes.ts'

test('a process is alive until it has ended', () => {
  expect(isAlive(process.pid)).toBe(true)
  expect(isAlive(1)).toBe(true) // also where it belongs to somebody else
  expect(isAlive(spawnSync(process.execPath, ['-e', '0']).pid)).toBe(false)
})
