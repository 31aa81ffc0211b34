import { createLocalRepository } from '../../repository/local.ts'
import { defineVerb, type Verb } from '../command.ts'
import { EXIT } from '../exit-codes.ts'

export const init: Verb = defineVerb({
  description: 'Creates a repository in a folder that does not exist yet, or is empty.',
  examples: [
    ['chainkeep init --repo /backup/node', 'create a repository'],
    ['chainkeep backup --init --repo /backup/node /var/lib/litecoin', 'create it with the first backup'],
  ],
  async run({ environment, output, repositoryPath }) {
    const repository = repositoryPath()
    const { repositoryId } = await createLocalRepository(repository, environment)
    output.info(`created repository ${repositoryId.slice(0, 8)} at ${repository}`)
    output.json({ message_type: 'initialized', id: repositoryId, repository })
    return EXIT.done
  },
})
