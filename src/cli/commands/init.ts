import { defineVerb, type Verb } from '../command.ts'
import { createRepository } from '../create-repository.ts'
import { EXIT } from '../exit-codes.ts'

export const init: Verb = defineVerb({
  description: 'Creates a repository in a folder that does not exist yet, or is empty.',
  examples: [
    ['chainkeep init --repo /backup/node', 'create a repository'],
    ['chainkeep backup --init --repo /backup/node /var/lib/litecoin', 'create it with the first backup'],
  ],
  async run(context) {
    const { output } = context
    const { id, path, message } = await createRepository(context)
    output.info(message)
    output.info(`next: chainkeep backup --repo ${quote(path)} PATH`)
    output.json({ message_type: 'initialized', id, repository: path })
    return EXIT.done
  },
})

/** A word for a shell. */
const quote = (text: string): string => (/^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`)
