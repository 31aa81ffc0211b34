import { expect, test } from 'vitest'
import { shortenPath } from '../../src/cli/shorten-path.ts'

test.each([
  [26, '/var/…/coins/litecoin/node'],
  [25, '/var/…/litecoin/node'],
  [19, '/var/…/node'],
  [10, '…/node'],
  [1, '…/node'],
])('in %i columns: %s', (width, expected) => expect(shortenPath('/var/lib/coins/litecoin/node', width)).toBe(expected))

test.each(['/', '/a', '/node'])('%s would not get shorter', (path) => expect(shortenPath(path, 1)).toBe(path))
