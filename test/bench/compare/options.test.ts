import { describe, expect, test } from 'vitest'
import { compareCommand, parseCompareOptions } from '../../../bench/compare/options.ts'

const idsOf = (things: readonly { id: string }[]): string[] => things.map(({ id }) => id)

describe('options of the comparison', () => {
  test('are everything by default', () => {
    const options = parseCompareOptions([])
    expect(options).toMatchObject({ bytes: 2 ** 31, rounds: 3, hours: 24, smallFiles: 20_000, start: true })
    expect(idsOf(options.tools)).toEqual(['cp', 'chainkeep', 'chainkeep-no-kernel', 'restic', 'borg', 'borg-plain'])
    expect(idsOf(options.scenarios)).toContain('prune')
  })

  test('take some rows, and those they build on', () => {
    const options = parseCompareOptions(['--only', 'restore-damaged', '--size', '200M', '--rounds', '1'])
    expect(idsOf(options.scenarios)).toEqual(['first', 'restore', 'restore-damaged'])
    expect(options).toMatchObject({ bytes: 200 * 2 ** 20, rounds: 1, hours: 0, start: false })
  })

  test('take the series alone', () => {
    const options = parseCompareOptions(['--only', 'series,start', '--hours', '3', '--tools', 'restic,chainkeep'])
    expect(options).toMatchObject({ scenarios: [], hours: 3, start: true })
    expect(idsOf(options.tools)).toEqual(['chainkeep', 'restic'])
  })

  test('are refused where nothing is meant by them', () => {
    for (const argv of [
      ['--only', 'nothing'],
      ['--tools', 'tar'],
      ['--rounds', 'x'],
      ['--size', '2Q'],
    ]) {
      const command = compareCommand()
        .exitOverride()
        .configureOutput({ writeErr: () => {} })
      expect(() => parseCompareOptions(argv, command)).toThrow(/argument '\w+' is invalid/)
    }
  })
})
