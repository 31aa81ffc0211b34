import type { ByteString } from '../base/bytes.ts'
import { compilePatterns } from '../repository/path-patterns.ts'

/** Which paths of the snapshot are meant. */
export interface Selection {
  isSelected(path: ByteString, isDirectory: boolean): boolean
  /** Whether a directory is to be entered. */
  mayHoldSelected(path: ByteString): boolean
  /** Whether everything is selected. */
  readonly isWhole: boolean
}

/** Throws USAGE for a pattern that makes no sense. */
export function createSelection(include: readonly string[] = [], exclude: readonly string[] = []): Selection {
  const included = include.length > 0 ? compilePatterns(include) : undefined
  const excluded = compilePatterns(exclude)
  return {
    isSelected: (path, isDirectory) =>
      (included?.matches(path, isDirectory) ?? true) && !excluded.matches(path, isDirectory),
    mayHoldSelected: (path) =>
      !excluded.matches(path, true) &&
      (included === undefined || included.matches(path, true) || included.mayMatchBelow(path)),
    isWhole: included === undefined && exclude.length === 0,
  }
}
