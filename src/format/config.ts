import { ChainkeepError } from '../base/errors.ts'
import { CborMap, cborMap, decodeCbor, encodeCbor } from './cbor.ts'
import { decodeEnvelope, encodeEnvelope, hasSignature } from './envelope.ts'

/** The file `config`: FORMAT.md §2. */
export interface RepositoryConfig {
  readonly version: 1
  /** 32 hex digits, random: tells repositories apart. */
  readonly repositoryId: string
  /** Milliseconds since 1970. */
  readonly createdMs: number
  readonly chunker: ChunkerConfig
  /** Features that a program must know to read, or to write. */
  readonly readFeatures: readonly string[]
  readonly writeFeatures: readonly string[]
}

/** Persisted, since other parameters would find no duplicates among what is stored. */
export interface ChunkerConfig {
  readonly minBytes: number
  readonly averageBytes: number
  readonly maxBytes: number
  /** Normalisation level. */
  readonly level: number
  readonly segmentBytes: number
}

const SIGNATURE = 'CKCONFIG'
const CHUNKER_NAME = 'fastcdc-v2020'
const REPOSITORY_ID_BYTES = 16
/** A config is some 200 bytes; nothing larger is read. */
export const MAX_CONFIG_BYTES = 65_536

export function encodeConfig(config: RepositoryConfig): Uint8Array {
  const { chunker } = config
  const body = encodeCbor(
    cborMap([
      ['version', config.version],
      ['id', Buffer.from(config.repositoryId, 'hex')],
      ['created', config.createdMs],
      [
        'chunker',
        cborMap([
          ['name', CHUNKER_NAME],
          ['min', chunker.minBytes],
          ['average', chunker.averageBytes],
          ['max', chunker.maxBytes],
          ['level', chunker.level],
          ['segment', chunker.segmentBytes],
        ]),
      ],
      ['read-features', config.readFeatures],
      ['write-features', config.writeFeatures],
    ]),
  )
  return encodeEnvelope(SIGNATURE, body)
}

/**
 * Strict inverse. Throws NOT_A_REPOSITORY when it is something else, UNSUPPORTED for a newer version or a feature that
 * is needed to read and unknown here, BAD_FORMAT or CORRUPT for damage.
 */
export function decodeConfig(bytes: Uint8Array, file: string): RepositoryConfig {
  if (!hasSignature(SIGNATURE, bytes))
    throw new ChainkeepError('NOT_A_REPOSITORY', `${file} is not the config of a chainkeep repository`, { file })
  const body = decodeEnvelope(SIGNATURE, bytes, file)
  const map = new CborMap(decodeCbor(body, file), file)
  const version = map.integer('version')
  if (version !== 1)
    throw new ChainkeepError(
      'UNSUPPORTED',
      `${file}: the repository has format version ${version}; this chainkeep knows 1: use a newer one`,
      { version },
    )
  const readFeatures = map.texts('read-features')
  refuseUnknown(file, 'read', readFeatures) // before all that a feature may change
  const id = map.bytes('id')
  if (id.length !== REPOSITORY_ID_BYTES) map.fail('id', `${REPOSITORY_ID_BYTES} bytes`)
  return {
    version,
    repositoryId: Buffer.from(id).toString('hex'),
    createdMs: map.integer('created'),
    chunker: decodeChunker(map.map('chunker')),
    readFeatures,
    writeFeatures: map.texts('write-features'),
  }
}

/** Throws UNSUPPORTED if writing needs a feature that is unknown here. */
export function requireWritable(config: RepositoryConfig, file: string): void {
  refuseUnknown(file, 'write to', config.writeFeatures)
}

function decodeChunker(map: CborMap): ChunkerConfig {
  const name = map.text('name')
  if (name !== CHUNKER_NAME)
    throw new ChainkeepError(
      'UNSUPPORTED',
      `the repository's chunker is ${name}; this chainkeep knows ${CHUNKER_NAME}: use a newer one`,
      { name },
    )
  // What the chunker takes: see `createFindCuts`.
  const minBytes = map.integer('min', 64, 2 ** 20)
  const averageBytes = map.integer('average', Math.max(256, minBytes + 1), 2 ** 22)
  const maxBytes = map.integer('max', Math.max(1024, averageBytes + 1), 2 ** 24)
  for (const [key, value] of Object.entries({ min: minBytes, average: averageBytes, max: maxBytes }))
    if (value % 2 !== 0) map.fail(key, 'even')
  return {
    minBytes,
    averageBytes,
    maxBytes,
    level: map.integer('level', 0, 3),
    segmentBytes: map.integer('segment', maxBytes, 2 ** 30),
  }
}

function refuseUnknown(file: string, verb: string, features: readonly string[]): void {
  const [unknown] = features // this version knows none
  if (unknown === undefined) return
  throw new ChainkeepError(
    'UNSUPPORTED',
    `${file}: to ${verb} this repository takes the feature "${unknown}", which this chainkeep lacks: use a newer one`,
    { feature: unknown },
  )
}
