/**
 * So much is written to a file by one call. With more, Linux keeps the file in larger pages, for which it takes memory that
 * lay idle; in a virtual machine that memory may be with the host, and comes back 4 KiB at a time: 2 GB by 4 MiB took
 * 5.5 s, by 64 KiB 0.7 s (Linux 6.18, ext4). Elsewhere it makes no difference that could be measured.
 */
export const WRITE_BYTES: number = 64 * 1024
/** `writev` takes no more. */
const MOST_PARTS = 1024

/** The parts as views, in groups for one call each. */
export function* writeGroups(parts: readonly Uint8Array[]): Generator<Uint8Array[], void, undefined> {
  let group: Uint8Array[] = []
  let bytes = 0
  for (const part of parts) {
    for (let at = 0; at < part.length; ) {
      const view = part.subarray(at, at + WRITE_BYTES - bytes)
      group.push(view)
      bytes += view.length
      at += view.length
      if (bytes < WRITE_BYTES && group.length < MOST_PARTS) continue
      yield group
      group = []
      bytes = 0
    }
  }
  if (group.length > 0) yield group
}
