import { ChainkeepError } from '../base/errors.ts'
import { type PackId, parsePackId } from '../base/ids.ts'
import type { Repository } from '../repository/repository.ts'

/** The packs that prefixes of their ids name. Rejects NOT_FOUND, or BAD_ID for one that is none or fits several. */
export async function findPackIds(repository: Repository, texts: readonly string[]): Promise<PackId[]> {
  const names: string[] = []
  for (const kind of ['data', 'meta'] as const) for await (const name of repository.backend.list(kind)) names.push(name)
  return texts.map((text) => {
    if (!/^[0-9a-f]{1,64}$/.test(text))
      throw new ChainkeepError('BAD_ID', `"${text}" is not a pack: give the first digits of its id`, { text })
    const [found, another] = names.filter((name) => name.startsWith(text))
    if (found === undefined) throw new ChainkeepError('NOT_FOUND', `there is no pack "${text}"`, { text })
    if (another !== undefined)
      throw new ChainkeepError('BAD_ID', `"${text}" fits several packs: give more digits`, { text })
    return parsePackId(found)
  })
}
