import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, link, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { forEachLimited } from '../base/async.ts'
import { makeDirectories } from '../base/directories.ts'
import { type ChainkeepError, errnoOf, fileError } from '../base/errors.ts'
import { isAlive } from '../base/processes.ts'
import { indexDamage } from './index-layout.ts'

/**
 * Private copies of an index: LevelDB can be open in one process only, and nobody shall wait for another's backup.
 * They lie beside the index, or in the system's folder for temporary files where nothing can be written there.
 */
const NAME = /^chainkeep-index-(.*)-(\d+)-[A-Za-z0-9]{6}$/

/** To be followed by six letters or digits; tells whose it is. */
const ownName = (): string => `chainkeep-index-${hostname()}-${process.pid}-`

/** Makes an empty folder for a private index. Rejects DENIED, NO_SPACE, IO. */
export async function makePrivateFolder(directory: string): Promise<string> {
  const name = ownName()
  const beside = copiesOf(directory)
  if (!(await whyNotWritable(beside))) return await mkdtemp(join(beside, name))
  await removeStale(tmpdir())
  return await mkdtemp(join(tmpdir(), name))
}

/** What keeps files from being written in `directory`, if anything does. Makes it if it is missing. */
export async function whyNotWritable(directory: string): Promise<ChainkeepError | undefined> {
  const probe = join(directory, ownName() + randomBytes(3).toString('hex'))
  try {
    makeDirectories(directory)
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

/** Removes what dead processes have left beside the index in `directory`, and in it. */
export async function removeStaleCopies(directory: string): Promise<void> {
  for (const folder of [copiesOf(directory), directory]) await removeStale(folder)
}

const copiesOf = (directory: string): string => `${directory}-copies`

/**
 * Copies the database in `from`, in use or not, into the empty folder `to`. Tables never change, so they are linked; what
 * grows is copied, and a prefix of it is as good as the state at an earlier time.
 *
 * Taken one after another, the files may disagree. A table that the manifest names and that is gone makes opening fail:
 * try again. A log that is gone makes some batches fail to appear; each is one whole pack (index-layout.ts), which is then
 * read in from its trailer like any other new one.
 *
 * Tables are named `.sst` here, LevelDB's old suffix, which it reads but never writes. Its next table may get the number
 * of one that the owner is just writing, and as `.ldb` it would overwrite the owner's through the link.
 */
export async function copyLevel(from: string, to: string): Promise<void> {
  const current = await readFile(join(from, 'CURRENT'), 'latin1')
  const manifest = current.trim()
  if (!/^MANIFEST-\d+$/.test(manifest)) throw indexDamage('no manifest')
  await copyFile(join(from, manifest), join(to, manifest))
  await forEachLimited(await readdir(from), 8, async (name) => {
    const number = /^(\d+)\.(?:ldb|sst)$/.exec(name)?.[1]
    if (number) await unlessGone(linkOrCopy(join(from, name), join(to, `${number}.sst`)))
    else if (/^\d+\.log$/.test(name)) await unlessGone(copyFile(join(from, name), join(to, name)))
  })
  await writeFile(join(to, 'CURRENT'), current)
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw error
    await copyFile(from, to, constants.COPYFILE_FICLONE) // another file system, or one without links
  }
}

async function unlessGone(copying: Promise<void>): Promise<void> {
  await copying.catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error
  })
}

async function removeStale(parent: string): Promise<void> {
  const names = await readdir(parent).catch(() => [])
  for (const name of names) {
    const path = join(parent, name)
    if (await isStale(path, NAME.exec(name))) await rm(path, { recursive: true, force: true }).catch(() => {})
  }
}

async function isStale(path: string, name: RegExpExecArray | null): Promise<boolean> {
  if (!name) return false
  const status = await stat(path).catch(() => undefined)
  if (!status || status.uid !== (process.getuid?.() ?? status.uid)) return false
  return name[1] === hostname() && !isAlive(Number(name[2])) // another host's are for that host to remove
}
