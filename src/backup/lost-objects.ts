import { idBytes } from '../base/ids.ts'
import { vanishedPacks } from '../repository/known-packs.ts'
import { markReachable, type Reference } from '../repository/reachability.ts'
import type { Repository } from '../repository/repository.ts'
import type { StoredSnapshot } from '../repository/snapshots.ts'

/** An object that a snapshot needs and the repository does not have, or not whole. */
export type LostObject = Pick<Reference, 'kind' | 'id'>

/** What a backup has made good. */
export interface Healed {
  /** Objects that the parent needs and were lost before. */
  readonly lost: number
  /** Those that have been stored again. */
  readonly healed: number
}

/**
 * What is gone that the parent needs: then nothing may be taken over from it. Looked into only if packs have vanished since
 * this machine last saw them: a prune elsewhere, or a loss. What only something lost refers to is not known.
 */
export async function findLostObjects(
  repository: Repository,
  parent: StoredSnapshot | undefined,
  signal?: AbortSignal,
): Promise<LostObject[]> {
  if (!parent || (await vanishedPacks(repository)).length === 0) return []
  const lost = new Map<string, LostObject>()
  const onProblem = ({ reference: { kind, id } }: { reference: Reference }): unknown =>
    lost.set(kind + id, { kind, id })
  await markReachable(repository, [parent.snapshot.tree], { onProblem, signal })
  if (lost.size > 0)
    repository.environment.notice(
      'the repository has lost something that the last snapshot needs: every file is read again, and what is lost is stored again where the source still has it ("chainkeep check" tells which snapshots suffer)',
    )
  return [...lost.values()]
}

/** How much of it is there again. `undefined` if nothing was lost. */
export async function countHealed(repository: Repository, lost: readonly LostObject[]): Promise<Healed | undefined> {
  if (lost.length === 0) return undefined
  const index = await repository.index()
  let healed = 0
  for (const kind of ['chunk', 'list', 'tree', 'attributes'] as const) {
    const ids = lost.filter((each) => each.kind === kind).map(({ id }) => idBytes(id))
    const locations = await index.locate(kind, Buffer.concat(ids))
    healed += locations.filter((location) => location !== undefined).length
  }
  return { lost: lost.length, healed }
}
