import { expect } from 'vitest'
import { ChainkeepError, type ErrorCode } from '../../src/base/errors.ts'

/** `run` must throw one of ours, with one of these codes, that names `file`. Returns it. */
export function expectRefusal(
  run: () => unknown,
  codes: ErrorCode | readonly ErrorCode[],
  file: string,
): ChainkeepError {
  const error = refusalOf(run)
  expect([codes].flat()).toContain(error?.code)
  expect(error!.message).toContain(file)
  return error!
}

/** The error of ours that `run` throws, if any. Whatever else it throws is thrown on: a decoder must not. */
export function refusalOf(run: () => unknown): ChainkeepError | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    if (error instanceof ChainkeepError) return error
    throw error
  }
}

/** `bytes` with one bit changed. */
export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[bit >> 3]! ^= 1 << (bit & 7)
  return copy
}

/** Every proper beginning of `bytes`. */
export function* truncations(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
  for (let length = 0; length < bytes.length; length++) yield bytes.slice(0, length)
}
