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
 * Throws USAGE. No test takes longer than the length of the pattern times that of the path; of many patterns, only those are
 * tested whose plain names are in the path.
 */
export function compilePatterns(patterns: readonly string[]): PathMatcher {
  const compiled = patterns.map(compilePattern)
  const byName = new Map<string | undefined, Pattern[]>()
  for (const pattern of compiled) {
    const others = byName.get(pattern.plainName)
    if (others) others.push(pattern)
    else byName.set(pattern.plainName, [pattern])
  }
  return {
    matches(path, isDirectory) {
      if (compiled.length === 0) return false
      const names = splitNames(path)
      const candidates = [undefined, ...new Set(names)].flatMap((name) => byName.get(name) ?? [])
      candidates.sort((a, b) => a.order - b.order)
      let selected = false
      for (const pattern of candidates)
        if (selected === pattern.isNegated && fitsPath(pattern, names, isDirectory)) selected = !selected
      return selected
    },
    mayMatchBelow(path) {
      const names = splitNames(path)
      return compiled.some((pattern) => !pattern.isNegated && leadsBelow(pattern, names))
    },
  }
}

interface Pattern {
  readonly order: number
  readonly isNegated: boolean
  readonly directoriesOnly: boolean
  /** Names that follow one another, with any number of names between such runs. The first begins at the root. */
  readonly runs: readonly (readonly NameTest[])[]
  /** A name without which it does not fit. */
  readonly plainName: string | undefined
}

/** A plain name, or a test of one. */
type NameTest = string | RegExp

/** No path that a system call takes is longer. */
const MAX_PATTERN_LENGTH = 4096

function compilePattern(text: string, order: number): Pattern {
  const isNegated = text.startsWith('!')
  const body = isNegated ? text.slice(1) : text
  const components = body.split('/').filter((component) => component !== '')
  const fail = (reason: string): never => {
    const shown = JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
    throw new ChainkeepError('USAGE', `the pattern ${shown} ${reason}`, { pattern: text })
  }
  if (body === '') fail('is empty')
  if (body.length > MAX_PATTERN_LENGTH) fail(`is longer than ${MAX_PATTERN_LENGTH} characters, as no path is`)
  if (body.includes('\0')) fail('contains a NUL, which no name does')
  if (components.some((component) => component === '.' || component === '..'))
    fail('can never fit: paths are compared as they are in the snapshot, without "." and ".."')
  const runs: NameTest[][] = body.startsWith('/') ? [[]] : [[], []]
  for (const component of components)
    if (component === '**') runs.push([])
    else runs.at(-1)!.push(compileName(component))
  const plainName = runs.flat().findLast((test) => typeof test === 'string')
  return { order, isNegated, directoriesOnly: body.endsWith('/'), runs, plainName }
}

/**
 * What lies between two stars is taken where it fits first and never given up again (a group that is looked ahead at and
 * then repeated does not backtrack), which loses nothing, since all that it leaves is for the next star.
 */
function compileName(component: string): NameTest {
  const pieces = ['']
  let plain: string | undefined = ''
  for (const [token, escaped, not, set] of component.matchAll(TOKENS)) {
    const isGlob = token === '?' || token === '*' || set !== undefined
    plain = isGlob || plain === undefined ? undefined : plain + (escaped ?? token)
    if (token === '*') pieces.push('')
    else
      pieces[pieces.length - 1] += isGlob ? (set === undefined ? '.' : toClass(not!, set)) : toLiteral(escaped ?? token)
  }
  if (plain !== undefined) return plain
  const [first, ...others] = pieces as [string]
  const last = others.pop()
  const middle = others.filter((piece) => piece !== '').map((piece, i) => `(?=(.*?${piece}))\\${i + 1}`)
  return new RegExp(`^${first}${middle.join('')}${last === undefined ? '' : `.*${last}`}$`, 'su')
}

/** An escaped character, a set (`!` or `^` before what it holds), or any other character. A bracket that is not closed is one of them. */
const TOKENS = /\\(.)|\[([!^]?)((?:\\.|[^\]\\])+)\]|./gsu

function toClass(not: string, set: string): string {
  let text = ''
  for (const [, range, from, to, one] of set.matchAll(/((?:\\)?(.)-(?:\\)?(.))|(?:\\(?=.))?(.)/gsu))
    if (range === undefined) text += toLiteral(one!)
    else if (from! <= to!) text += `${toLiteral(from!)}-${toLiteral(to!)}`
  return `[${not === '' ? '' : '^'}${text}]`
}

const toLiteral = (char: string): string => `\\u{${char.codePointAt(0)!.toString(16)}}`

function splitNames(path: ByteString): string[] {
  return path
    .split('/')
    .filter((name) => name !== '')
    .map((name) => decodeUtf8(name as ByteString) ?? displayBytes(name as ByteString))
}

/** Each run is taken where it fits first: whatever comes after it has most room then. */
function fitsPath({ runs, directoriesOnly }: Pattern, names: readonly string[], isDirectory: boolean): boolean {
  const end = directoriesOnly && !isDirectory ? names.length - 1 : names.length
  let at = 0
  for (const [i, run] of runs.entries()) {
    const last = i === 0 ? 0 : end - run.length
    while (at <= last && !fitsAt(run, names, at)) at++
    if (at > last || at + run.length > end) return false
    at += run.length
  }
  return true
}

const fitsAt = (run: readonly NameTest[], names: readonly string[], at: number): boolean =>
  run.every((test, i) => fitsName(test, names[at + i]))

function fitsName(test: NameTest, name: string | undefined): boolean {
  return typeof test === 'string' ? test === name : name !== undefined && test.test(name)
}

/** Whether `names` can be continued to something that the pattern fits. */
function leadsBelow({ runs }: Pattern, names: readonly string[]): boolean {
  const first = runs[0]!
  return names.every((name, i) => i >= first.length || fitsName(first[i]!, name))
}
