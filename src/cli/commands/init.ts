import { defineVerb, parsedOption, type Verb } from '../command.ts'
import { createRepository } from '../create-repository.ts'
import { EXIT } from '../exit-codes.ts'
import { parseParity } from '../sizes.ts'

interface Options {
  readonly parity?: number
}

export const init: Verb = defineVerb<Options>({
  description: 'Creates a repository in a folder that is empty, or does not exist yet while the one above it does.',
  options: [
    parsedOption(
      '--parity <percent>',
      'keep so much parity beside each pack ("chainkeep help parity"; default: none)',
      parseParity,
      'It is a whole number of percents from 0 to 100.',
    ),
  ],
  examples: [
    ['chainkeep init --repo /backup/node', 'create a repository'],
    ['chainkeep init --repo /backup/node --parity 10', 'create one whose packs can be healed'],
    ['chainkeep backup --init --repo /backup/node /var/lib/litecoin', 'create it with the first backup'],
  ],
  async run(context, { parity }) {
    const { output } = context
    const { id, path, message } = await createRepository(context, parity)
    output.info(message)
    output.info(`next: chainkeep backup --repo ${quote(path)} PATH`)
    output.json({ message_type: 'initialized', id, repository: path })
    return EXIT.done
  },
})

/** A word for a shell. */
const quote = (text: string): string => (/^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)
