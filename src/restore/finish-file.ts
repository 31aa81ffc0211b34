import { displayBytes } from '../base/bytes.ts'
import { fileError, throwIfInterrupted } from '../base/errors.ts'
import type { Node } from '../format/node.ts'
import { loadAttributes } from '../repository/trees.ts'
import { compareFile, runBytes } from './compare-file.ts'
import type { FileWork } from './file-work.ts'
import type { RestoreJob } from './job.ts'
import { applyMetadata, metadataOf } from './metadata.ts'
import { lstat, removeFile } from './target.ts'
import { requireDamage } from './walk.ts'

/**
 * Checks a file if asked to, gives it its metadata and reports it. One that could not be restored is removed if this run
 * has made it, so that nobody takes part of a file for the whole; one that was there before stays, with what was written.
 */
export async function finishFile(job: RestoreJob, file: FileWork): Promise<void> {
  const { options, report } = job
  throwIfInterrupted(options.signal)
  file.isFinished = true
  if (file.failure !== undefined) return removeFailed(job, file)
  if (file.origin === 'trusted') {
    report.add('bytesReused', file.node.size)
    report.advance(file.node.size)
  }
  let isChanged = file.isChanged
  if (!options.dryRun) {
    if (options.verify) await verifyFile(job, file)
    isChanged = (await restoreMetadata(job, file.node, file)) || isChanged
  }
  const action = file.isUpdate ? (isChanged ? 'updated' : 'unchanged') : 'restored'
  report.item(file.path, action, file.node.size)
  for (const link of file.links.splice(0))
    report.item(link.path, link.isUpdate ? 'updated' : 'restored', file.node.size)
}

/** Answers whether anything changed. What fails is reported. */
export async function restoreMetadata(
  { repository, ownership, report }: RestoreJob,
  node: Node,
  { path, target }: Pick<FileWork, 'path' | 'target'>,
): Promise<boolean> {
  const fail = (what: string, error: unknown): void =>
    report.fail(path, fileError(`${what} ${displayBytes(target)}`, error).message)
  try {
    const attributes = await loadAttributes(repository.load, node).catch((error: unknown) => {
      report.fail(path, requireDamage(error).message, true)
      return undefined
    })
    return applyMetadata(target, metadataOf(node, attributes, ownership), fail)
  } catch (error) {
    report.failCall(path, 'cannot restore the metadata of', target, error)
    return false
  }
}

function removeFailed({ options, report }: RestoreJob, { path, target, links, origin, failure }: FileWork): void {
  const { reason, isDamage } = failure!
  report.fail(path, reason, isDamage)
  if (origin === 'created' && !options.dryRun) removeFile(target)
  for (const link of links.splice(0)) {
    report.fail(link.path, reason, isDamage)
    if (!options.dryRun) removeFile(link.target)
  }
}

async function verifyFile(job: RestoreJob, { node, path, target }: FileWork): Promise<void> {
  const { options, report } = job
  try {
    if (Number(lstat(target)?.size) !== node.size)
      return report.fail(path, `${displayBytes(target)} has the wrong length`)
    for await (const { run, same, failure } of compareFile(job, node, target)) {
      throwIfInterrupted(options.signal)
      report.verified(runBytes(run), path)
      if (!same.includes(0)) continue
      const offset = run.lengths.slice(0, same.indexOf(0)).reduce((sum, length) => sum + length, run.offset)
      return report.fail(
        path,
        failure?.message ?? `${displayBytes(target)} does not read back as it was written, at offset ${offset}`,
      )
    }
  } catch (error) {
    report.fail(path, requireDamage(error).message, true)
  }
}
