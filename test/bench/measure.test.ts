import { tmpdir } from 'node:os'
import { expect, test, vi } from 'vitest'

test('the measured see the environment, but no certificates for Node.js to read', async () => {
  vi.stubEnv('NODE_EXTRA_CA_CERTS', '/nowhere/certificates.pem')
  vi.stubEnv('CHAINKEEP_TEST', 'passed on')
  const { outputOf } = await import('../../bench/measure.ts')
  const print = 'JSON.stringify([process.env.NODE_EXTRA_CA_CERTS, process.env.CHAINKEEP_TEST, process.env.OWN])'
  const output = outputOf(['node', '-p', print], { cwd: tmpdir(), env: { OWN: 'set' } })
  expect(JSON.parse(output)).toEqual([null, 'passed on', 'set'])
})
