import type { ByteString } from '../base/bytes.ts'
import type { RestoreJob } from './job.ts'
import { lookAtDirectory, makeDirectory, type TargetDirectory, targetPath } from './target.ts'

/** The directories from the target down to where the walk is, made when something is to be put into them. */
export class DirectoryPath {
  readonly #job: RestoreJob
  readonly #entered: Entered[] = []

  constructor(job: RestoreJob) {
    this.#job = job
  }

  enter({ path, name, isSelected }: { path: ByteString; name: ByteString; isSelected: boolean }): void {
    this.#entered.push({ path, name })
    if (isSelected) this.make()
  }

  leave(): void {
    this.#entered.pop()
  }

  /** The innermost one. `missing` in a dry run only. */
  make(): TargetDirectory {
    let parent: TargetDirectory | undefined
    for (const entered of this.#entered) parent = entered.directory ??= this.#make(parent, entered)
    return parent!
  }

  #make(parent: TargetDirectory | undefined, { path, name }: Entered): TargetDirectory {
    const { target, options, report } = this.#job
    if (!parent)
      return { path: target.path, state: options.dryRun && target.isNew ? 'missing' : 'open', isNew: target.isNew }
    const directory = targetPath(parent, name)
    try {
      const state = lookAtDirectory(parent, directory, options.overwrite ?? 'always')
      if (state === 'closed' || options.dryRun) return { path: directory, state, isNew: false }
      makeDirectory(directory, state)
      return { path: directory, state: 'open', isNew: state === 'missing' }
    } catch (error) {
      report.failCall(path, 'cannot create the directory', directory, error)
      return { path: directory, state: 'closed', isNew: false }
    }
  }
}

interface Entered {
  readonly path: ByteString
  readonly name: ByteString
  directory?: TargetDirectory
}
