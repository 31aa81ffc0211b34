import { type Dice, fillRandom, makeDice, mix32 } from './random.ts'

export interface Block {
  readonly block: Uint8Array
  /** What disconnecting the block takes: the coins that its inputs spent, then a checksum of CHECKSUM_BYTES. */
  readonly undo: Uint8Array
}

/** How long the block of that height is, without making it. */
export const blockBytes = (seed: number, height: number): number => sizeOf(blockDice(seed, height))

const blockDice = (seed: number, height: number): Dice => makeDice(mix32(seed, height))
const sizeOf = (dice: Dice): number => MIN_BLOCK_BYTES + dice(MAX_BLOCK_BYTES - MIN_BLOCK_BYTES)

/**
 * Makes mainnet-like blocks of 1.2 to 2 MB and their undo data, both in Bitcoin's serialization. What it returns is views
 * that are valid until the next call.
 *
 * The bytes start out random, and everything that is not random in a real block is written over them: versions, lengths,
 * script templates, DER frames, amounts. Real blocks also repeat themselves: an exchange signs with one key for hours,
 * spends the outputs of one transaction side by side, and pays the same sum to one address many times. MOOD says how
 * much; it is fitted to real blocks by their compressed size (test/bench/block.test.ts).
 */
export function createBlockMaker(seed: number): (height: number) => Block {
  const blockWords = new Uint32Array(MAX_BLOCK_BYTES / 4)
  const undoWords = new Uint32Array(MAX_BLOCK_BYTES / 16) // a coin has at most 34 bytes, its input at least 149
  return (height) => {
    const dice = blockDice(seed, height)
    const size = sizeOf(dice)
    fillRandom(blockWords.subarray(0, Math.ceil(size / 4)), seed, `block ${height}`)
    fillRandom(undoWords.subarray(0, Math.ceil(size / 16)), seed, `undo ${height}`)
    const writer = new BlockWriter(new Uint8Array(blockWords.buffer, 0, size), new Uint8Array(undoWords.buffer), dice)
    writer.header(height)
    while (writer.room > MAX_TRANSACTION_BYTES + MIN_INSCRIPTION_BYTES) writer.transaction(height)
    writer.inscription(height)
    return writer.finish()
  }
}

export const CHECKSUM_BYTES = 32
const MIN_BLOCK_BYTES = 1_200_000
const MAX_BLOCK_BYTES = 2_000_000
/** An exchange's with 21 inputs and 51 outputs has 4 722. */
const MAX_TRANSACTION_BYTES = 5_000
/** So long that the length of its data takes three bytes. */
const MIN_INSCRIPTION_BYTES = 512
/** In percent: how many transactions an exchange sends, and how often it takes a new key, earlier transaction, payee. */
const MOOD = { exchange: 15, key: 1, txid: 3, payee: 12 }
const SEQUENCES = [0xffffffff, 0xfffffffd, 0xffffffff, 0xfffffffd, 0xfffffffe]
const TXID_BYTES = 32
const KEY_BYTES = 33
/** Amount, length and script of an output that pays to the hash of a witness key. */
const OUTPUT_BYTES = 31

/** Writes transactions and the undo data of each at once. Bytes that it steps over stay random. */
class BlockWriter {
  readonly #block: Uint8Array
  readonly #undo: Uint8Array
  readonly #dice: Dice
  readonly #inputKeys = new Int32Array(64)
  // Where the exchange's current ones were last written; -1 before the first.
  #key = -1
  #txid = -1
  #output = -1
  #at = 0
  #undoAt = COUNT_BYTES
  #transactions = 0

  /** `block` will be filled to its end. */
  constructor(block: Uint8Array, undo: Uint8Array, dice: Dice) {
    this.#block = block
    this.#undo = undo
    this.#dice = dice
  }

  /** Bytes of the block that are not written yet. */
  get room(): number {
    return this.#block.length - this.#at
  }

  header(height: number): void {
    this.#u32(0x20000000)
    this.#at += 64 // hash of the previous block, Merkle root
    this.#u32(1_600_000_000 + height * 600)
    this.#u32(0x17034219)
    this.#at += 4 + COUNT_BYTES // nonce; the count comes last
  }

  transaction(height: number): void {
    const exchange = this.#chance(MOOD.exchange)
    const inputs = exchange ? 2 + this.#dice(20) : 1 + this.#dice(2)
    const outputs = exchange ? 2 + this.#dice(50) : 1 + this.#dice(4)
    this.#version(inputs)
    const sequence = SEQUENCES[this.#dice(SEQUENCES.length)]!
    for (let i = 0; i < inputs; i++) this.#input(exchange, sequence)
    this.#u8(outputs)
    for (let i = 0; i < outputs; i++) this.#pay(exchange)
    for (let i = 0; i < inputs; i++) this.#witness(exchange, i)
    this.#u32(exchange || this.#chance(50) ? 0 : height)
    this.#coins(inputs, height)
  }

  /** The last transaction: data in its witness take what room there is. */
  inscription(height: number): void {
    this.#version(1)
    this.#input(false, SEQUENCES[0]!)
    this.#u8(1)
    this.#pay(false)
    this.#u8(1)
    const dataBytes = this.room - COUNT_BYTES - 4
    writeCount(this.#block, this.#at, dataBytes)
    this.#inputKeys[0] = this.#at + COUNT_BYTES
    this.#at += COUNT_BYTES + dataBytes
    this.#u32(0)
    this.#coins(1, height)
  }

  finish(): Block {
    writeCount(this.#block, 80, this.#transactions)
    writeCount(this.#undo, 0, this.#transactions)
    return { block: this.#block, undo: this.#undo.subarray(0, this.#undoAt + CHECKSUM_BYTES) }
  }

  #version(inputs: number): void {
    this.#u32(2)
    this.#u8(0) // marker and flag of a transaction with witnesses
    this.#u8(1)
    this.#u8(inputs)
  }

  #input(exchange: boolean, sequence: number): void {
    if (this.#repeats(exchange, this.#txid, MOOD.txid)) this.#copy(this.#txid, TXID_BYTES)
    else this.#at += TXID_BYTES
    if (exchange) this.#txid = this.#at - TXID_BYTES
    this.#u32(this.#dice(exchange ? 100 : 3))
    this.#u8(0) // no script: the signature is in the witness
    this.#u32(sequence)
  }

  #pay(exchange: boolean): void {
    if (this.#repeats(exchange, this.#output, MOOD.payee)) {
      this.#copy(this.#output, OUTPUT_BYTES)
    } else {
      this.#amount()
      this.#u8(22)
      this.#u8(0)
      this.#u8(20)
      this.#at += 20
    }
    if (exchange) this.#output = this.#at - OUTPUT_BYTES
  }

  /** Satoshis, as people send them: mostly below 100 coins, a third of them round. */
  #amount(): void {
    const round = this.#chance(30)
    this.#u32(round ? (1 + this.#dice(400)) * 10_000 : this.#dice(2 ** 32))
    this.#u32(round ? 0 : this.#dice(3))
  }

  /** A DER signature (low s; r has a zero byte in front in half the cases) and a compressed key. */
  #witness(exchange: boolean, input: number): void {
    const highR = this.#dice(2)
    this.#u8(2)
    this.#u8(71 + highR)
    this.#u8(0x30)
    this.#u8(68 + highR)
    this.#u8(2)
    this.#u8(32 + highR)
    if (highR === 1) this.#u8(0)
    this.#at += 32
    this.#u8(2)
    this.#u8(32)
    this.#at += 32
    this.#u8(1) // SIGHASH_ALL
    this.#u8(33)
    this.#inputKeys[input] = this.#at
    if (this.#repeats(exchange, this.#key, MOOD.key)) {
      this.#copy(this.#key, KEY_BYTES)
    } else {
      this.#u8(2 + this.#dice(2))
      this.#at += KEY_BYTES - 1
    }
    if (exchange) this.#key = this.#at - KEY_BYTES
  }

  /** What the transaction's inputs have spent. */
  #coins(inputs: number, height: number): void {
    this.#undo[this.#undoAt++] = inputs
    for (let i = 0; i < inputs; i++) this.#coin(this.#inputKeys[i]!, height)
    this.#transactions++
  }

  /** The spent coin: height, amount, script, each in the compressed form of Bitcoin Core's `TxInUndoFormatter`. */
  #coin(key: number, height: number): void {
    const undo = this.#undo
    const code = 2 * Math.max(1, 800_000 + height - this.#dice(5_000))
    undo[this.#undoAt++] = 0x80 | ((code >> 14) - 1)
    undo[this.#undoAt++] = 0x80 | ((code >> 7) & 0x7f)
    undo[this.#undoAt++] = code & 0x7f
    undo[this.#undoAt++] = 0 // once the transaction's version
    for (let i = this.#dice(4); i >= 0; i--) undo[this.#undoAt++]! |= 0x80
    undo[this.#undoAt++]! &= 0x7f
    undo[this.#undoAt++] = 28 // six special scripts, then the length
    undo[this.#undoAt++] = 0
    undo[this.#undoAt++] = 20
    copy(this.#block, key + 1, undo, this.#undoAt, 20)
    this.#undoAt += 20
  }

  #repeats(exchange: boolean, last: number, percentNew: number): boolean {
    return exchange && last >= 0 && !this.#chance(percentNew)
  }

  #copy(from: number, length: number): void {
    copy(this.#block, from, this.#block, this.#at, length)
    this.#at += length
  }

  #chance(percent: number): boolean {
    return this.#dice(100) < percent
  }

  #u8(value: number): void {
    this.#block[this.#at++] = value
  }

  #u32(value: number): void {
    this.#u8(value)
    this.#u8(value >>> 8)
    this.#u8(value >>> 16)
    this.#u8(value >>> 24)
  }
}

const COUNT_BYTES = 3

/** A compact size in its form for 253 to 65 535. */
function writeCount(bytes: Uint8Array, at: number, count: number): void {
  bytes[at] = 0xfd
  bytes[at + 1] = count
  bytes[at + 2] = count >>> 8
}

/** A loop: for spans this short it is faster than the call that `Buffer.copy` makes. */
function copy(source: Uint8Array, from: number, target: Uint8Array, to: number, length: number): void {
  for (let i = 0; i < length; i++) target[to + i] = source[from + i]!
}
