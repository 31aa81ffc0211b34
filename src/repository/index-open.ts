import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileError } from '../base/errors.ts'
import { copyLevel, makePrivateFolder, removeStaleCopies, whyNotWritable } from './index-copy.ts'
import { destroyLevel, isLocked, type LoadedLevel, openLevel, rootMessage } from './index-level.ts'
import { rememberTables, verifyTables } from './index-tables.ts'

/** A database for the index, wherever it could be had. */
export interface OpenedIndex extends LoadedLevel {
  /** Why it is empty, as the first half of a sentence, when it had to be made; `''` if that was asked for. */
  readonly whyEmpty: string | undefined
  /** Nobody else will ever see it. */
  readonly isPrivate: boolean
  /** Closes it and removes it if it is private. */
  close(): Promise<void>
}

const COPY_ATTEMPTS = 3

/**
 * Opens the index in `directory`. In use by another process, it is copied; unusable, it is made again, empty; where
 * nothing can be written, a private one takes its place. Rejects DENIED, NO_SPACE or IO where not even a temporary one can be made.
 */
export async function openIndex(directory: string): Promise<OpenedIndex> {
  await removeStaleCopies(directory)
  try {
    return await openOwn(directory, `there is no index in ${directory} yet`)
  } catch (error) {
    if (isLocked(error)) return await openCopy(directory, `the index in ${directory} is in use`)
    const unwritable = await whyNotWritable(directory)
    if (unwritable) return await openCopy(directory, unwritable.message)
    return await openEmpty(directory, `the index in ${directory} cannot be used (${rootMessage(error)})`)
  }
}

/** Opens an empty index in place of the one in `directory`, which must be closed; a private one where that fails. */
export async function openEmpty(directory: string, why: string): Promise<OpenedIndex> {
  try {
    await destroyLevel(directory)
    return await openOwn(directory, why)
  } catch {
    return await openPrivate(directory, why)
  }
}

async function openOwn(directory: string, why: string): Promise<OpenedIndex> {
  await verifyTables(directory)
  const loaded = await openLevel(directory, true)
  await rememberTables(directory, true)
  const close = async (): Promise<void> => {
    await loaded.level.close()
    await rememberTables(directory, false)
  }
  return { ...loaded, whyEmpty: loaded.isNew ? why : undefined, isPrivate: false, close }
}

async function openCopy(directory: string, why: string): Promise<OpenedIndex> {
  for (let attempt = 1; attempt <= COPY_ATTEMPTS; attempt++) {
    try {
      return await openPrivate(directory, undefined, async (folder) => {
        await copyLevel(directory, folder)
        await verifyTables(folder, directory)
      })
    } catch {
      await sleep(20 * attempt) // the owner was changing it, or there is none
    }
  }
  return await openPrivate(directory, why)
}

/** Opens what `fill` puts into a private folder, or an empty index, for the reason `whyEmpty`. */
async function openPrivate(
  directory: string,
  whyEmpty: string | undefined,
  fill?: (folder: string) => Promise<void>,
): Promise<OpenedIndex> {
  const folder = await makePrivateFolder(directory)
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true })
  try {
    await fill?.(folder)
    const loaded = await openLevel(folder, fill === undefined)
    return { ...loaded, whyEmpty, isPrivate: true, close: () => loaded.level.close().then(remove) }
  } catch (error) {
    await remove()
    throw fileError(`cannot make an index in ${folder}`, error)
  }
}
