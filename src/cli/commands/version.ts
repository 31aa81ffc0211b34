import { kernel } from '../../native/kernel.ts'
import { defineVerb, type Verb } from '../command.ts'
import { programVersion } from '../environment.ts'
import { EXIT } from '../exit-codes.ts'

export const version: Verb = defineVerb({
  description: 'Prints the versions of chainkeep and of what it runs on.',
  examples: [
    ['chainkeep version', 'for people'],
    ['chainkeep version --json', 'for programs'],
  ],
  async run({ io, output }) {
    const { arch, version: node } = process
    const path = kernel()?.path
    const speed = path ? `kernel ${path}` : 'no kernel (slower)'
    output.print(`chainkeep ${programVersion()} on Node.js ${node}, ${io.platform} ${arch}, ${speed}`)
    output.json({
      message_type: 'version',
      version: programVersion(),
      node_version: node,
      os: io.platform,
      arch,
      kernel: path ?? null,
    })
    return EXIT.done
  },
})
