import type { Command, Help } from 'commander'

/**
 * Gives a command its description and what stands below its options, both laid out to the columns of the terminal. Blank lines
 * part blocks. In a block, lines that begin at the margin are one paragraph, however they are broken; `  term  meaning` is a
 * line of a list, and lines indented deeper go on with its meaning; other indented lines stay as they are, to be copied.
 */
export function describeCommand(command: Command, description: string, after: string): void {
  command.description(description)
  command.configureHelp({
    commandDescription(this: Help) {
      return layOut(description, this)
    },
  })
  command.addHelpText('after', ({ error }) => {
    const { getErrHelpWidth, getOutHelpWidth } = command.configureOutput()
    const help = command.createHelp()
    help.prepareContext({ error, helpWidth: (error ? getErrHelpWidth : getOutHelpWidth)?.() })
    return `\n${layOut(after, help)}`
  })
}

function layOut(text: string, help: Help): string {
  const blocks = text.trim().split('\n\n')
  return blocks.map((block) => layOutBlock(block, help)).join('\n\n')
}

function layOutBlock(block: string, help: Help): string {
  const lines = block.replace(/\n(?=\S| {4})/g, ' ').split('\n')
  const terms = lines.map((line) => LIST_LINE.exec(line))
  const width = Math.max(...terms.map((match) => match?.[1]?.length ?? 0))
  return lines
    .map((line, i) => {
      const [, term, meaning] = terms[i] ?? []
      if (term !== undefined) return help.formatItem(term, width, meaning!.replace(/ +/g, ' '), help)
      return line.startsWith(' ') ? line : help.boxWrap(line, help.helpWidth ?? 80)
    })
    .join('\n')
}

const LIST_LINE = /^ {2}(\S.*?) {2,}(\S.*)$/
