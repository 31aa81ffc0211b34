import picomatch from 'picomatch'
import { type ByteString, decodeUtf8, displayBytes } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'

/** Says of absolute paths whether patterns select them. */
export interface PathMatcher {
  /** Whether `path` or a directory above it is selected; the last pattern that fits decides. */
  matches(path: ByteString, isDirectory: boolean): boolean
  /** Whether something below the directory `path` may be selected. Errs on the side of yes. */
  mayMatchBelow(path: ByteString): boolean
}

/**
 * Compiles patterns that mean what restic's do. Without a leading `/` a pattern fits at any depth; `*`, `?`, `[a-z]` and `[!a-z]`
 * stay within a name, a component `**` stands for any number of directories, `\` makes the next character plain. What fits a
 * directory covers all below it; with a trailing `/` only directories are meant. A leading `!` takes out again what
 * earlier patterns selected. Names that are not UTF-8 are compared in the form that `displayBytes` gives them.
 * Throws USAGE.
 */
export function compilePatterns(patterns: readonly string[]): PathMatcher {
  const compiled = patterns.map(compilePattern)
  return {
    matches(path, isDirectory) {
      if (compiled.length === 0) return false
      const names = splitNames(path)
      let selected = false
      for (const pattern of compiled)
        if (selected === pattern.isNegated && fitsPath(pattern, names, isDirectory)) selected = !selected
      return selected
    },
    mayMatchBelow(path) {
      const names = splitNames(path)
      return compiled.some((pattern) => !pattern.isNegated && (!pattern.isAnchored || leadsBelow(pattern.parts, names)))
    },
  }
}

interface Pattern {
  readonly isNegated: boolean
  /** Begins at the root rather than anywhere. */
  readonly isAnchored: boolean
  readonly directoriesOnly: boolean
  readonly parts: readonly Part[]
}

/** A test of one name, or any number of names. */
type Part = ((name: string) => boolean) | typeof ANY_DEPTH
const ANY_DEPTH = '**'

function compilePattern(text: string): Pattern {
  const isNegated = text.startsWith('!')
  const body = isNegated ? text.slice(1) : text
  const components = body.split('/').filter((component) => component !== '')
  const fail = (reason: string): never => {
    throw new ChainkeepError('USAGE', `the pattern ${JSON.stringify(text)} ${reason}`, { pattern: text })
  }
  if (body === '') fail('is empty')
  if (body.includes('\0')) fail('contains a NUL, which no name does')
  if (components.some((component) => component === '.' || component === '..'))
    fail('can never fit: paths are compared as they are in the snapshot, without "." and ".."')
  return {
    isNegated,
    isAnchored: body.startsWith('/'),
    directoriesOnly: body.endsWith('/'),
    parts: components.map((component) => (component === ANY_DEPTH ? ANY_DEPTH : picomatch(toGlob(component), OPTIONS))),
  }
}

const OPTIONS = { dot: true, nobrace: true, noextglob: true, nonegate: true, windows: false } as const
/** What is escaped already, what is in brackets, and what else picomatch gives a meaning beyond ours. */
const SPECIAL = /\\.|\[[^\]]*\]|[(){}|+@!$^]/gs

function toGlob(component: string): string {
  return component.replace(SPECIAL, (found) => (found.length === 1 ? `\\${found}` : found.replace(/^\[!/, '[^')))
}

function splitNames(path: ByteString): string[] {
  return path
    .split('/')
    .filter((name) => name !== '')
    .map((name) => decodeUtf8(name as ByteString) ?? displayBytes(name as ByteString))
}

function fitsPath(
  { parts, isAnchored, directoriesOnly }: Pattern,
  names: readonly string[],
  isDirectory: boolean,
): boolean {
  const lastEnd = directoriesOnly && !isDirectory ? names.length - 1 : names.length
  for (let start = 0; start <= (isAnchored ? 0 : names.length); start++)
    if (fitsFrom(parts, 0, names.slice(0, lastEnd), start)) return true
  return false
}

/** Whether the parts from `part` on fit some run of names that begins at `at`. */
function fitsFrom(parts: readonly Part[], part: number, names: readonly string[], at: number): boolean {
  for (; part < parts.length; part++) {
    const test = parts[part]!
    if (test === ANY_DEPTH) {
      for (let next = at; next <= names.length; next++) if (fitsFrom(parts, part + 1, names, next)) return true
      return false
    }
    const name = names[at++]
    if (name === undefined || !test(name)) return false
  }
  return true
}

/** Whether `names` can be continued to something that the parts fit. */
function leadsBelow(parts: readonly Part[], names: readonly string[]): boolean {
  for (const [i, name] of names.entries()) {
    const test = parts[i]
    if (test === undefined || test === ANY_DEPTH) return true
    if (!test(name)) return false
  }
  return true
}
