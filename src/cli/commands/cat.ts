import { displayBytes } from '../../base/bytes.ts'
import { ChainkeepError } from '../../base/errors.ts'
import { type ObjectId, parseObjectId } from '../../base/ids.ts'
import { findEntry } from '../../browse/entries.ts'
import { decodeList } from '../../format/list.ts'
import { decodeTree } from '../../format/tree.ts'
import type { Repository } from '../../repository/repository.ts'
import { findSnapshot } from '../../repository/snapshots.ts'
import { defineVerb, missing, type Verb } from '../command.ts'
import { EXIT } from '../exit-codes.ts'
import { listToJson, manifestToJson, packToJson, treeToJson } from '../metadata-json.ts'
import { nearest } from '../nearest.ts'
import { findSnapshotPath, findTree } from '../select-snapshots.ts'
import { snakeCaseFields } from '../snake-case.ts'

export const cat: Verb = defineVerb({
  description: `Prints what the repository stores, as JSON:

  config             the repository's config
  snapshot ID        the manifest of a snapshot
  tree ID            a tree object, by its id, or the one of a directory, by ID:path
  list ID            a list of chunks, by its id, or the one of a file, by ID:path
  index              the packs, as the index knows them`,
  arguments: [
    ['<what>', 'config, snapshot, tree, list or index'],
    ['[id]', 'of what'],
  ],
  examples: [
    ['chainkeep cat config', 'chunk sizes, format version and features'],
    ['chainkeep cat snapshot latest', 'everything that the manifest says'],
    ['chainkeep cat tree latest:/var/lib/litecoin', 'how a directory is stored'],
  ],
  exitCodes: [10],
  async run({ output, openToRead }, _options, [what, id]) {
    const read = READERS[what!]
    if (!read) {
      const near = nearest(what!, Object.keys(READERS))
      throw new ChainkeepError(
        'USAGE',
        `there is no "${what}" to print: ${near ? `did you mean ${near}?` : `it is one of ${Object.keys(READERS).join(', ')}`}`,
      )
    }
    await using repository = await openToRead()
    const value = await read(repository, id)
    output.json(value)
    output.print(JSON.stringify(value, undefined, 2))
    return EXIT.done
  },
})

const READERS: Readonly<Record<string, (repository: Repository, id: string | undefined) => Promise<unknown>>> = {
  config: async ({ config }) => snakeCaseFields(config),
  snapshot: async (repository, id) => manifestToJson(await findSnapshot(repository, required(id))),
  tree: async (repository, id) => {
    const tree = isObjectId(required(id)) ? parseObjectId(id!) : (await findTree(repository, id!)).tree
    return treeToJson(tree, decodeTree(await repository.load('tree', tree), `tree ${tree}`))
  },
  list: async (repository, id) => {
    const list = isObjectId(required(id)) ? parseObjectId(id!) : await findList(repository, id!)
    const bytes = await repository.load('list', list)
    return listToJson(list, decodeList(bytes, bytes[0]!, `list ${list}`))
  },
  index: async (repository) => [...(await repository.index()).packs()].map(packToJson),
}

function required(id: string | undefined): string {
  if (id === undefined) throw missing('<id>', 'of what', 'cat')
  return id
}

const isObjectId = (text: string): boolean => /^[0-9a-f]{64}$/.test(text)

/** The topmost list of the file that `ID:path` names. */
async function findList(repository: Repository, text: string): Promise<ObjectId> {
  const { snapshot, path } = await findSnapshotPath(repository, text)
  const entry = await findEntry(repository.load, snapshot.tree, path)
  if (entry !== '/' && entry.node.type === 'file' && entry.node.content?.height) return entry.node.content.id
  throw new ChainkeepError('USAGE', `${displayBytes(path)} has no list: it is no file, or one of a single chunk`)
}
