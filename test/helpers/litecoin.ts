import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { seededStream } from './seeded-bytes.ts'

export interface LitecoinNode extends AsyncDisposable {
  readonly datadir: string
  /** The result of one JSON-RPC call. Rejects with the node's message. */
  rpc(method: string, ...params: unknown[]): Promise<unknown>
  /** The results of many calls in one request, in order. Rejects when one of them failed. */
  batch(calls: readonly RpcCall[]): Promise<unknown[]>
  /** Shuts the node down as its operator would. Resolves when the process is gone; idempotent. */
  stop(): Promise<void>
}

type RpcCall = readonly [method: string, ...params: unknown[]]

/** The path of litecoind on this machine, if it is installed. */
export function findLitecoind(): string | undefined {
  return findProgram('litecoind')
}

/**
 * Starts `litecoind -regtest`, with no network, on `datadir` (created when missing) and resolves when it answers.
 * `await using` stops it at the end of the scope, and the kernel kills it should this process die first.
 */
export async function startNode(datadir: string, options: { args?: readonly string[] } = {}): Promise<LitecoinNode> {
  const litecoind = findLitecoind()
  if (litecoind === undefined) throw new Error('litecoind is not installed')
  await mkdir(datadir, { recursive: true })
  const port = await freePort()
  const command = [litecoind, `-datadir=${datadir}`, `-rpcport=${port}`, ...NODE_ARGS, ...(options.args ?? [])]
  // setpriv is a part of util-linux; it replaces itself by the node.
  const dying = findProgram('setpriv') === undefined ? [] : ['setpriv', '--pdeathsig', 'KILL']
  const [program, ...args] = [...dying, ...command] as [string, ...string[]]
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(child, 'exit')
  let complaints = ''
  child.stderr?.on('data', (text) => {
    complaints += text
  })

  const batch = async (calls: readonly RpcCall[]): Promise<unknown[]> => {
    const cookie = await readFile(join(datadir, 'regtest/.cookie'), 'utf8')
    return callRpc(`http://127.0.0.1:${port}/`, cookie, calls)
  }
  const stop = async (): Promise<void> => {
    // The call closes our connection; after a signal the node would wait for that.
    if (isRunning(child)) await batch([['stop']]).catch(() => child.kill('SIGTERM'))
    await exited
  }
  try {
    await untilReady(child, () => batch([['getblockcount']]))
  } catch (error) {
    child.kill('SIGKILL')
    await exited
    throw new Error(`litecoind does not start: ${complaints || error}`, { cause: error })
  }
  return {
    datadir,
    batch,
    rpc: async (method, ...params) => (await batch([[method, ...params]]))[0],
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/**
 * Mines `blocks` blocks, each with `transactionsPerBlock` transactions of ten outputs, signed by the node's wallet, and
 * one that makes the coins for them. The first 100 blocks of a chain hold none: until then no mined coin may be spent.
 * 100 blocks of 10 take about 3 s.
 */
export async function mine(
  node: LitecoinNode,
  blocks: number,
  options: { transactionsPerBlock?: number } = {},
): Promise<void> {
  const { transactionsPerBlock = 10 } = options
  await openWallet(node)
  const miner = await node.rpc('getnewaddress')
  const height = Number(await node.rpc('getblockcount'))
  const barren = transactionsPerBlock === 0 ? blocks : Math.min(blocks, Math.max(0, COINBASE_MATURITY - height))
  if (barren > 0) await node.rpc('generatetoaddress', barren, miner)
  for (let block = height + barren + 1; block <= height + blocks; block++) {
    await spendCoinbase(node, block - COINBASE_MATURITY, transactionsPerBlock)
    await node.rpc('generatetoaddress', 1, miner)
  }
}

/**
 * Splits the coin mined at `height` into `count` coins of the same owner, and spends each of them to random scripts:
 * coins that stay, so that the set of coins grows and the wallet does not. The wallet's own `sendmany` would do, but its
 * search among many equal coins takes 50 to 150 ms a transaction; this takes 2.
 */
async function spendCoinbase(node: LitecoinNode, height: number, count: number): Promise<void> {
  const block = (await node.rpc('getblock', await node.rpc('getblockhash', height))) as { tx: string[] }
  const coin = (await node.rpc('gettxout', block.tx[0], 0)) as { value: number; scriptPubKey: { hex: string } }
  const share = Math.floor((coin.value * LITOSHIS) / (count + 1)) // the rest is the fee
  const outputs = Array<Output>(count).fill({ value: share, script: Buffer.from(coin.scriptPubKey.hex, 'hex') })
  const [split] = await send(node, [encodeTransaction(block.tx[0]!, 0, outputs)])
  const randomBytes = seededStream(`spends ${split}`)
  const spend = (_: Output, i: number): Buffer => {
    const foreign = Array.from({ length: OUTPUTS }, () => ({
      value: Math.floor(share / (OUTPUTS + 1)),
      script: Buffer.concat([PAY_TO_WITNESS_KEY_HASH, randomBytes(20)]),
    }))
    return encodeTransaction(split!, i, foreign)
  }
  await send(node, outputs.map(spend))
}

/** Signs and sends transactions; returns their ids. */
async function send(node: LitecoinNode, transactions: readonly Buffer[]): Promise<string[]> {
  const signed = await node.batch(transactions.map((bytes) => ['signrawtransactionwithwallet', bytes.toString('hex')]))
  const anyFee = 0
  const ids = await node.batch(signed.map((result) => ['sendrawtransaction', (result as { hex: string }).hex, anyFee]))
  return ids as string[]
}

interface Output {
  readonly value: number
  readonly script: Buffer
}

/** An unsigned transaction of one input: output `index` of transaction `id`. */
function encodeTransaction(id: string, index: number, outputs: readonly Output[]): Buffer {
  const input = Buffer.alloc(41, 0xff) // ends in the sequence number
  Buffer.from(id, 'hex').reverse().copy(input)
  input.writeUInt32LE(index, 32)
  input.writeUInt8(0, 36) // the script's length
  const parts = outputs.flatMap(({ value, script }) => {
    const amount = Buffer.alloc(8)
    amount.writeBigUInt64LE(BigInt(value))
    return [amount, compactSize(script.length), script]
  })
  return Buffer.concat([VERSION_2, compactSize(1), input, compactSize(outputs.length), ...parts, NO_LOCK_TIME])
}

function compactSize(n: number): Buffer {
  return n < 0xfd ? Buffer.from([n]) : Buffer.from([0xfd, n & 0xff, n >> 8])
}

const COINBASE_MATURITY = 100
const OUTPUTS = 10
const LITOSHIS = 1e8
const VERSION_2 = Buffer.from('02000000', 'hex')
const NO_LOCK_TIME = Buffer.alloc(4)
const PAY_TO_WITNESS_KEY_HASH = Buffer.from('0014', 'hex')
const WALLET = 'miner'
const READY_WITHIN_MS = 30_000
const NODE_ARGS = [
  ...['-regtest', '-server', '-printtoconsole=0'],
  ...['-listen=0', '-connect=0', '-dnsseed=0', '-discover=0', '-upnp=0'],
  ...['-dbcache=4', '-keypool=10', '-fallbackfee=0.0001'],
  ...['-limitdescendantcount=1000', '-limitdescendantsize=1000'], // all transactions of a block spend one
]

async function openWallet(node: LitecoinNode): Promise<void> {
  const loaded = (await node.rpc('listwallets')) as string[]
  if (loaded.length > 0) return
  const { wallets } = (await node.rpc('listwalletdir')) as { wallets: { name: string }[] }
  await node.rpc(wallets.some(({ name }) => name === WALLET) ? 'loadwallet' : 'createwallet', WALLET)
}

async function callRpc(url: string, cookie: string, calls: readonly RpcCall[]): Promise<unknown[]> {
  const body = JSON.stringify(calls.map(([method, ...params], id) => ({ jsonrpc: '1.0', id, method, params })))
  const authorization = `Basic ${Buffer.from(cookie).toString('base64')}`
  const response = await fetch(url, { method: 'POST', headers: { authorization }, body })
  const text = await response.text()
  if (!response.ok) throw new Error(`litecoind answers ${response.status}: ${text}`)
  const answers = JSON.parse(text) as { result: unknown; error: { message: string } | null }[]
  return answers.map(({ result, error }, i) => {
    if (error) throw new Error(`${calls[i]![0]}: ${error.message}`)
    return result
  })
}

async function untilReady(child: ChildProcess, probe: () => Promise<unknown>): Promise<void> {
  const giveUpAt = Date.now() + READY_WITHIN_MS
  for (;;) {
    try {
      await probe()
      return
    } catch (error) {
      if (!isRunning(child) || Date.now() > giveUpAt) throw error
      await sleep(50)
    }
  }
}

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null

function findProgram(name: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
}

/** A port that is free now; nobody is kept from taking it before the node does, which then does not start. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
