import { randomBytes } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ChainkeepError, fileError } from '../base/errors.ts'
import { copyLevel, makePrivateFolder, removeStaleCopies } from './index-copy.ts'
import { destroyLevel, isLocked, type LoadedLevel, openLevel, rootMessage } from './index-level.ts'

/** A database for the index, wherever it could be had. */
export interface OpenedIndex extends LoadedLevel {
  /** Why it is empty, as the first half of a sentence, when it had to be made. */
  readonly whyEmpty: string | undefined
  /** Closes it and removes it if it is private. */
  close(): Promise<void>
}

const COPY_ATTEMPTS = 3

/**
 * Opens the index in `directory`. In use by another process, it is copied; unusable, it is made again, empty; where
 * nothing can be written, a private one takes its place. Rejects only where not even a temporary folder can be made.
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
    return await openPrivate(await makePrivateFolder(directory), true, why)
  }
}

/** What keeps a file from being written in `directory`, if anything does. */
export async function whyNotWritable(directory: string): Promise<ChainkeepError | undefined> {
  const probe = join(directory, `probe-${randomBytes(8).toString('hex')}`)
  try {
    await mkdir(directory, { recursive: true })
    await writeFile(probe, Buffer.alloc(PROBE_BYTES))
    return undefined
  } catch (error) {
    return fileError(`cannot write an index into ${directory}`, error, { directory })
  } finally {
    await rm(probe, { force: true }).catch(() => {})
  }
}

/** Enough to find a full disk. */
const PROBE_BYTES = 64 * 1024

async function openOwn(directory: string, why: string): Promise<OpenedIndex> {
  const loaded = await openLevel(directory, true)
  return { ...loaded, whyEmpty: loaded.isNew ? why : undefined, close: () => loaded.level.close() }
}

async function openCopy(directory: string, why: string): Promise<OpenedIndex> {
  for (let attempt = 1; attempt <= COPY_ATTEMPTS; attempt++) {
    const folder = await makePrivateFolder(directory)
    try {
      await copyLevel(directory, folder)
      return await openPrivate(folder, false, why)
    } catch {
      await rm(folder, { recursive: true, force: true }) // the owner was changing it, or there is none
      await sleep(20 * attempt)
    }
  }
  return await openPrivate(await makePrivateFolder(directory), true, why)
}

async function openPrivate(folder: string, create: boolean, why: string): Promise<OpenedIndex> {
  const loaded = await openLevel(folder, create)
  const close = async (): Promise<void> => {
    await loaded.level.close()
    await rm(folder, { recursive: true, force: true })
  }
  return { ...loaded, whyEmpty: create ? why : undefined, close }
}
