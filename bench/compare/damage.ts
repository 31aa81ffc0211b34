import { spawnSync } from 'node:child_process'
import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

const SPAN_BYTES = 1 << 20

/**
 * Damages 1 % of all bytes below `dir` as a failing disk would: the first MiB of every 100 in the order of the files'
 * paths is inverted, and size and mtime of the files stay what they were. Small directories get shorter spans.
 */
export async function damage(dir: string): Promise<void> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const files: { path: string; size: number; mtimeNs: bigint }[] = []
  for (const path of paths.sort()) {
    const { size, mtimeNs } = await stat(path, { bigint: true })
    files.push({ path, size: Number(size), mtimeNs })
  }
  const total = files.reduce((sum, file) => sum + file.size, 0)
  const spanBytes = Math.min(SPAN_BYTES, Math.ceil(total / 100))
  const periodBytes = 100 * spanBytes
  let start = 0
  for (const { path, size, mtimeNs } of files) {
    const end = start + size
    await using file = await open(path, 'r+')
    for (let span = Math.floor(start / periodBytes) * periodBytes; span < end; span += periodBytes) {
      const from = Math.max(span, start)
      await invert(file, from - start, Math.min(span + spanBytes, end) - from)
    }
    setMtime(path, mtimeNs)
    start = end
  }
}

async function invert(file: FileHandle, offset: number, length: number): Promise<void> {
  if (length <= 0) return
  const bytes = Buffer.alloc(length)
  await file.read(bytes, 0, length, offset)
  for (let i = 0; i < length; i++) bytes[i]! ^= 0xff
  await file.write(bytes, 0, length, offset)
}

/** To the nanosecond, which node:fs cannot: a tool that compares times must not see the damage by them. */
function setMtime(path: string, mtimeNs: bigint): void {
  const digits = mtimeNs.toString().padStart(10, '0')
  spawnSync('touch', ['-m', '-d', `@${digits.slice(0, -9)}.${digits.slice(-9)}`, path])
}
