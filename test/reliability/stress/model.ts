import type { StoredSnapshot } from '../../../src/repository/snapshots.ts'

/** What is known of one backup. A tag of its own tells it apart, whatever becomes of its snapshot's id. */
export interface Backup {
  readonly tag: string
  /** Rules of what to forget spare it. */
  readonly isKept: boolean
  readonly source: string
  /** What its snapshot must be restored to. */
  readonly copy: string
  /** Of its snapshot, as it was last seen: several after a change of tags that was cut off. */
  ids: readonly string[]
  /** Its snapshot was there before this batch. */
  wasThere: boolean
  /** What has been said of it in this batch. */
  readonly said: {
    published: boolean
    forgotten: 'no' | 'perhaps' | 'yes'
    isTagged: boolean
    /** How many commands were told its id, and may have removed what has this id. */
    disturbers: number
  }
}

const NOTHING_SAID: Backup['said'] = { published: false, forgotten: 'no', isTagged: false, disturbers: 0 }
export const KEPT = 'kept'

/** Which snapshots there must be, and which there must not be. */
export class Model {
  readonly #backups = new Map<string, Backup>()
  /** Rules are, or were, at work in this batch: what they spare may go, as far as anybody knows. */
  #rules = false

  begin(backup: Pick<Backup, 'tag' | 'isKept' | 'source' | 'copy'>): Backup {
    const begun = { ...backup, ids: [], wasThere: false, said: { ...NOTHING_SAID } }
    this.#backups.set(backup.tag, begun)
    return begun
  }

  beginRules(): void {
    this.#rules = true
  }

  /** Those with a snapshot that can be named, oldest first. */
  named(): Backup[] {
    return [...this.#backups.values()].filter(({ ids }) => ids.length > 0)
  }

  all(): Iterable<Backup> {
    return this.#backups.values()
  }

  ofTags(tags: readonly string[]): Backup | undefined {
    return tags.map((tag) => this.#backups.get(tag)).find((backup) => backup !== undefined)
  }

  /** Whether somebody may have removed its snapshot, or given it another id, since the batch began; `self` if the one who asks may. */
  mayHaveGone({ isKept, said }: Backup, self: 0 | 1 = 0): boolean {
    return said.disturbers > self || (this.#rules && !isKept)
  }

  /** Whether all snapshots may have gone. */
  mayBeEmpty(): boolean {
    return ![...this.#backups.values()].some((backup) => backup.wasThere && !this.mayHaveGone(backup))
  }

  /** Compares what is there with what was said, once nobody is at work. What is wrong, in words. */
  settle(snapshots: readonly StoredSnapshot[]): string[] {
    const faults: string[] = []
    const found = new Map<Backup, StoredSnapshot[]>()
    for (const stored of snapshots) {
      const backup = this.ofTags(stored.snapshot.tags)
      if (backup) found.set(backup, [...(found.get(backup) ?? []), stored])
      else faults.push(`nobody has made snapshot ${stored.id}`)
    }
    for (const backup of [...this.#backups.values()]) {
      faults.push(...this.#settle(backup, found.get(backup) ?? []))
      if (!backup.wasThere) this.#backups.delete(backup.tag)
    }
    this.#rules = false
    return faults
  }

  #settle(backup: Backup, snapshots: readonly StoredSnapshot[]): string[] {
    const { tag, said } = backup
    const { published, forgotten, isTagged } = said
    const faults: string[] = []
    const isThere = snapshots.length > 0
    if ((backup.wasThere || published) && forgotten === 'no' && !isThere) faults.push(`the snapshot of ${tag} is lost`)
    if (forgotten === 'yes' && !isTagged && backup.ids.length === 1 && isThere)
      faults.push(`the snapshot of ${tag} was forgotten, and is there`)
    if (new Set(snapshots.map(({ snapshot }) => snapshot.tree)).size > 1)
      faults.push(`snapshots of ${tag} differ in more than their tags`)
    backup.ids = snapshots.map(({ id }) => id)
    backup.wasThere = isThere
    Object.assign(said, NOTHING_SAID)
    return faults
  }
}
