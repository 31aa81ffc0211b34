import { tmpdir } from 'node:os'
import { Command } from 'commander'
import { describe, expect, test } from 'vitest'
import { describeCommand } from '../../src/cli/help-text.ts'
import { VERBS } from '../../src/cli/verbs.ts'
import { runCli } from '../helpers/run-cli.ts'

describe.each([80, 120])('at %i columns', (columns) => {
  test.each(['', ...VERBS.map(({ name }) => name)])(
    'the help of %j fills its lines, and none is longer',
    async (name) => {
      const { stdout } = await runCli(tmpdir(), name ? [name, '--help'] : ['--help'], { columns })
      const lines = stdout.split('\n')
      for (const [i, line] of lines.entries()) {
        expect(line.length).toBeLessThanOrEqual(columns)
        const [nextWord = ''] = (lines[i + 1] ?? '').split(' ')
        if (/^\w/.test(line) && nextWord !== '') expect(`${line} ${nextWord}`.length).toBeGreaterThan(columns)
      }
    },
  )
})

test('the options of all verbs stand last', async () => {
  for (const { name } of VERBS) {
    const { stdout } = await runCli(tmpdir(), [name, '--help'])
    const headings = stdout.match(/^(Arguments|Options|Global options|Examples|Exit codes).*:$/gm)!
    expect(headings.filter((heading) => /ptions:$/.test(heading)).at(-1)).toBe('Global options:')
  }
})

test('paragraphs are joined, meanings hang, what is to be copied stays', () => {
  let text = ''
  const command = new Command('program')
    .usage('…')
    .helpOption(false)
    .configureOutput({
      writeOut: (part) => {
        text += part
      },
      getOutHelpWidth: () => 60,
    })
  const description = `Broken
by hand.

  term         a meaning that goes on for so long that it takes
               two lines
  longer term  short`
  describeCommand(command, description, `Examples:\n  # copy\n  ${'word '.repeat(20)}end`)
  command.outputHelp()
  expect(text).toBe(`Usage: program …

Broken by hand.

  term         a meaning that goes on for so long that it
               takes two lines
  longer term  short

Examples:
  # copy
  ${'word '.repeat(20)}end
`)
})
