import type { PackId } from '../../src/base/ids.ts'
import { recordLength } from '../../src/format/object.ts'
import type { PackClass } from '../../src/format/pack.ts'
import { readPackTrailer } from '../../src/repository/pack-trailer.ts'
import { PackWriter } from '../../src/repository/pack-writer.ts'
import type { Repository } from '../../src/repository/repository.ts'

/** Two packs that hold the same objects; look-ups lead to the first. */
export interface Copied {
  readonly packClass: PackClass
  readonly first: PackId
  readonly second: PackId
  /** Of the first record in either. */
  readonly offset: number
}

/** Stores all objects of every pack again in another, as two backups at the same time may. */
export async function storeSecondCopies(repository: Repository): Promise<Copied[]> {
  const { backend } = repository
  const index = await repository.index()
  const copied: Copied[] = []
  for (const { packClass, id } of [...index.packs()]) {
    const entries = await readPackTrailer(backend, packClass, id)
    const writer = new PackWriter(packClass)
    for (const entry of entries) {
      const range = { offset: entry.offset, length: recordLength(entry) }
      writer.add({ ids: entry.id, headers: [entry], records: await backend.get(packClass, id, range) })
    }
    const pack = writer.finish()
    await backend.put(packClass, pack.id, pack.parts)
    await index.addPack(pack.id, pack.bytes, pack.entries)
    copied.push({ packClass, first: id, second: pack.id, offset: entries[0]!.offset })
  }
  return copied
}
