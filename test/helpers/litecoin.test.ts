import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { findLitecoind, mine, startNode } from './litecoin.ts'
import { temporaryDirectory } from './temporary-directory.ts'

describe.skipIf(findLitecoind() === undefined)(
  'litecoind (Debian package litecoind; skipped where it is missing)',
  () => {
    test('starts, mines transactions, stops, and starts again at the same block', async () => {
      await using tmp = await temporaryDirectory()
      const datadir = join(tmp.path, 'node')
      let best: unknown
      {
        await using node = await startNode(datadir)
        await mine(node, 110, { transactionsPerBlock: 5 })
        best = await node.rpc('getbestblockhash')
        expect(await node.rpc('getblockcount')).toBe(110)
        expect(await node.rpc('getblock', best)).toMatchObject({ nTx: 1 + 1 + 5 })
        await node.stop()
        expect(existsSync(join(datadir, 'regtest/.cookie'))).toBe(false)
      }
      await using node = await startNode(datadir)
      expect(await node.rpc('getbestblockhash')).toBe(best)
      await mine(node, 2, { transactionsPerBlock: 1 })
      expect(await node.rpc('getblockcount')).toBe(112)
    })

    test('says why the node does not start, and leaves no process behind', async () => {
      await using tmp = await temporaryDirectory()
      await expect(startNode(tmp.path, { args: ['-nosuchflag=1', '-rpcport=x'] })).rejects.toThrow('does not start')
    })

    test('says which call failed', async () => {
      await using tmp = await temporaryDirectory()
      await using node = await startNode(tmp.path)
      await expect(node.rpc('getblockhash', 5)).rejects.toThrow('getblockhash: Block height out of range')
    })
  },
)
