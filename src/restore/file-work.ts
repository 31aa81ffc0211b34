import type { ByteString } from '../base/bytes.ts'
import type { FileNode } from '../format/node.ts'

/** One file that is being restored. */
export interface FileWork {
  readonly node: FileNode
  /** In the snapshot. */
  readonly path: ByteString
  readonly target: ByteString
  /** `created`: made by this run; `existing`: there before, and written into where it differs; `trusted`: its content is right. */
  readonly origin: 'created' | 'existing' | 'trusted'
  /** Something was there before. */
  readonly isUpdate: boolean
  /** Zeros need not be written: the file has a hole or reserved blocks there. */
  readonly skipZeros: boolean
  /** Other names of it, made while it is not finished. */
  readonly links: FileLink[]
  /** Its size or content was not what it should be. */
  isChanged: boolean
  isFinished: boolean
  /** Why it cannot be restored: the first reason. */
  failure?: FileFailure
}

export interface FileFailure {
  readonly reason: string
  /** The repository is to blame. */
  readonly isDamage: boolean
}

export interface FileLink {
  readonly path: ByteString
  readonly target: ByteString
  readonly isUpdate: boolean
}
