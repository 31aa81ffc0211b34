import { access } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { ChainkeepError, errnoOf, fileError, isCode, throwIfInterrupted } from '../../src/base/errors.ts'

const errno = (code: string): Error => Object.assign(new Error(`${code}: it failed`), { code })

test('an error carries code, details and cause', () => {
  const cause = new Error('below')
  const error = new ChainkeepError('CORRUPT', 'damaged', { file: 'x', offset: 3 }, cause)
  expect(error).toMatchObject({ name: 'ChainkeepError', code: 'CORRUPT', message: 'damaged', details: { offset: 3 } })
  expect(error.cause).toBe(cause)
  expect('cause' in new ChainkeepError('IO', 'no cause')).toBe(false)
})

test('isCode asks for any of several codes, of our errors only', () => {
  const error = new ChainkeepError('LOCKED', 'locked')
  expect(isCode(error, 'IO', 'LOCKED')).toBe(true)
  expect(isCode(error, 'IO')).toBe(false)
  expect(isCode(errno('LOCKED'), 'LOCKED')).toBe(false)
  expect(isCode(undefined, 'LOCKED')).toBe(false)
})

describe('errnoOf', () => {
  test('knows errors of the operating system', async () => {
    const error = await access('/nowhere/at all').catch((reason: unknown) => reason)
    expect(errnoOf(error)).toBe('ENOENT')
  })

  test.each([
    ['ours', new ChainkeepError('EXISTS', 'there')],
    ["Node's", errno('ERR_INVALID_ARG_VALUE')],
    ['without a code', new Error('plain')],
    ['with a number', Object.assign(new Error('x'), { code: 5 })],
    ['that is no error', { code: 'EIO' }],
  ])('passes over one %s', (_, error) => expect(errnoOf(error)).toBeUndefined())
})

describe('fileError', () => {
  test.each([
    ['ENOENT', 'NOT_FOUND'],
    ['EACCES', 'DENIED'],
    ['EPERM', 'DENIED'],
    ['EROFS', 'DENIED'],
    ['ENOSPC', 'NO_SPACE'],
    ['EDQUOT', 'NO_SPACE'],
    ['EEXIST', 'EXISTS'],
    ['EIO', 'IO'],
    ['EMFILE', 'IO'],
    ['EXYZ', 'IO'],
  ])('%s is %s', (name, code) => {
    const error = fileError('cannot write /r/config', errno(name), { kind: 'config' })
    expect(error).toMatchObject({ code, details: { kind: 'config', errno: name } })
    expect(error.message).toMatch(/^cannot write \/r\/config: /)
    expect(errnoOf(error.cause)).toBe(name)
  })

  test('keeps errors that are ours already, and takes anything else', () => {
    const ours = new ChainkeepError('TRUNCATED', 'short')
    expect(fileError('cannot read', ours)).toBe(ours)
    expect(fileError('cannot read', 'text')).toMatchObject({ code: 'IO', message: 'cannot read: text' })
  })
})

test('throwIfInterrupted throws only once the signal is aborted', () => {
  const controller = new AbortController()
  throwIfInterrupted(undefined)
  throwIfInterrupted(controller.signal)
  controller.abort()
  expect(() => throwIfInterrupted(controller.signal)).toThrow(expect.objectContaining({ code: 'INTERRUPTED' }))
})
