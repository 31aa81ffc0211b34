import { idBytes } from '../base/ids.ts'
import { doubtsAbout } from '../repository/cleared-snapshots.ts'
import { isKnownWhole, rememberPacks } from '../repository/known-packs.ts'
import type { Lock } from '../repository/lock.ts'
import type { Repository } from '../repository/repository.ts'
import type { Secured } from '../repository/secure-trees.ts'
import type { StoredSnapshot } from '../repository/snapshots.ts'
import type { WriteSession } from '../repository/write-session.ts'

/** What a backup has made good. */
export interface Healed {
  /** Objects that the parent needs and were lost before. */
  readonly lost: number
  /** Those that have been stored again. */
  readonly healed: number
}

export const NOTHING_LOST: Secured = { isWhole: true, lost: [] }

/**
 * Whether all that the parent needs is there, and will stay: only then may anything be taken over from it. Looked into unless this
 * machine has found out before, and no pack has vanished since (by a prune elsewhere, or a loss); and if packs are condemned of
 * which the parent may need some: what it needs of those is copied, given a lock. What only something lost refers to is not known.
 */
export async function secureParent(
  repository: Repository,
  parent: StoredSnapshot | undefined,
  options: { readonly lock?: Lock; readonly signal?: AbortSignal },
): Promise<Secured> {
  if (!parent) return NOTHING_LOST
  const { tree } = parent.snapshot
  if (doubtsAbout(repository, parent.id).length === 0 && (await isKnownWhole(repository, tree))) return NOTHING_LOST
  const { secureTrees } = await import('../repository/secure-trees.ts') // most backups need not
  const secured = await secureTrees(repository, [tree], options)
  if (options.lock) await rememberPacks(repository, secured.isWhole ? [tree] : []) // or it is looked into again each time
  if (!secured.isWhole)
    repository.environment.notice(
      'the repository has lost something that the last snapshot needs: every file is read again, and what is lost is stored again where the source still has it ("chainkeep check" tells which snapshots suffer)',
    )
  return secured
}

/** How much of it the session has stored again, or others have. `undefined` if nothing was lost. */
export async function countHealed(session: WriteSession, lost: Secured['lost']): Promise<Healed | undefined> {
  if (lost.length === 0) return undefined
  let healed = 0
  for (const kind of ['chunk', 'list', 'tree', 'attributes'] as const) {
    const ids = lost.filter((each) => each.kind === kind).map(({ id }) => idBytes(id))
    const lengths = await session.storedLengths(kind, Buffer.concat(ids))
    healed += lengths.filter((length) => length !== undefined).length
  }
  return { lost: lost.length, healed }
}
