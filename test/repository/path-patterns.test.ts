import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ByteString, byteStringOf } from '../../src/base/bytes.ts'
import { compilePatterns } from '../../src/repository/path-patterns.ts'

const matches = (patterns: string | string[], path: string, isDirectory = false): boolean =>
  compilePatterns([patterns].flat()).matches(byteStringOf(path), isDirectory)
const mayMatchBelow = (patterns: string | string[], path: string): boolean =>
  compilePatterns([patterns].flat()).mayMatchBelow(byteStringOf(path))

describe('a pattern fits', () => {
  // Where restic has the case, the answer is that of its filter_test.go.
  test.each([
    ['a name anywhere', '*.go', '/foo/bar/test.go'],
    ['a directory above', 'bar', '/foo/bar/baz/test.go'],
    ['a run of names anywhere', 'foo/bar', '/x/foo/bar/test.go'],
    ['from the root', '/foo/*/baz', '/foo/bar/baz/x'],
    ['across directories', '/foo/**/bar', '/foo/a/b/bar'],
    ['across no directory', '/foo/**/bar', '/foo/bar'],
    ['across directories, several times', '/foo/**/bar/**/x', '/foo/1/bar/2/3/x'],
    ['all below', '/foo/**', '/foo/bar/x'],
    ['everything', '**', '/foo'],
    ['everything', '/', '/foo'],
    ['one character', '?.go', '/x/a.go'],
    ['a set of characters', '[ab][!x-z].go', '/x/bc.go'],
    ['hidden names', '*', '/.bitcoin'],
    ['escaped characters', 'a\\*b', '/a*b'],
    ['a leading !', '\\!a', '/!a'],
    ['characters that are special elsewhere', 'a(1)+{b,c}|@(d)$^!.txt', '/a(1)+{b,c}|@(d)$^!.txt'],
    ['a set of such characters', '[(+][{}]', '/+{'],
    ['an open bracket', 'a[b', '/a[b'],
    ['letters beyond ASCII', 'ü?', '/x/üé'],
    ['doubled slashes', 'foo//bar', '/foo/bar'],
  ])('%s: %s %s', (_, pattern, path) => expect(matches(pattern, path)).toBe(true))
})

describe('a pattern does not fit', () => {
  test.each([
    ['part of a name', 'foo', '/foobar'],
    ['across a slash by *', '/foo/*.go', '/foo/bar/x.go'],
    ['across a slash by ?', 'foo?bar', '/foo/bar'],
    ['across a slash by a set', 'foo[^a]bar', '/foo/bar'],
    ['deeper, if anchored', '/bar', '/foo/bar'],
    ['a parent', 'foo/bar', '/foo'],
    ['other case', 'FOO', '/foo'],
    ['by braces', '{a,b}', '/a'],
    ['by an extended glob', '+(a)', '/aa'],
    ['by a quantifier', '[a]+', '/aa'],
    ['by a group', '(a)', '/a'],
  ])('%s: %s %s', (_, pattern, path) => expect(matches(pattern, path)).toBe(false))
})

test('no pattern selects nothing', () => {
  expect(matches([], '/a')).toBe(false)
  expect(mayMatchBelow([], '/')).toBe(false)
})

test('a trailing slash means directories and what is in them', () => {
  expect(matches('cache/', '/x/cache', true)).toBe(true)
  expect(matches('cache/', '/x/cache', false)).toBe(false)
  expect(matches('cache/', '/x/cache/file')).toBe(true)
})

test('a later ! takes out again, and a later pattern puts back', () => {
  expect(matches(['*.ldb', '!keep.ldb'], '/a.ldb')).toBe(true)
  expect(matches(['*.ldb', '!keep.ldb'], '/keep.ldb')).toBe(false)
  expect(matches(['!keep.ldb', '*.ldb'], '/keep.ldb')).toBe(true)
  expect(matches(['*.ldb', '!keep.ldb', '/x'], '/x/keep.ldb')).toBe(true)
})

test('names that are not UTF-8 are compared as they are displayed', () => {
  const matcher = compilePatterns(['/ü/a\\\\xff*'])
  expect(matcher.matches(`${byteStringOf('/ü/')}a\xffb` as ByteString, false)).toBe(true)
  expect(matcher.matches(`${byteStringOf('/ü/')}a\xfeb` as ByteString, false)).toBe(false)
})

test('where something may be selected below', () => {
  for (const path of ['/', '/a', '/a/b', '/a/b/c', '/a/b/c/d']) expect(mayMatchBelow('/a/b/c', path)).toBe(true)
  for (const path of ['/b', '/a/c', '/a/b/d']) expect(mayMatchBelow('/a/b/c', path)).toBe(false)
  expect(mayMatchBelow('b', '/x/y')).toBe(true)
  expect(mayMatchBelow('/a/**/x', '/a/b/c/d')).toBe(true)
  expect(mayMatchBelow('/a/**/x', '/b')).toBe(false)
  expect(mayMatchBelow(['/a', '!/b'], '/b')).toBe(false)
})

test.each([
  ['', 'is empty'],
  ['!', 'is empty'],
  ['../a', 'can never fit'],
  ['a/./b', 'can never fit'],
  ['a\0', 'contains a NUL'],
  ['a'.repeat(4097), 'is longer than 4096 characters'],
])('%j is refused', (pattern, reason) => {
  expect(() => compilePatterns([pattern])).toThrow(
    expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(reason) }),
  )
})

/** What a pattern of one name means, in so many words; exponential. */
function fitsSlowly(glob: readonly string[], name: readonly string[]): boolean {
  const [token, ...rest] = glob
  if (token === undefined) return name.length === 0
  if (token === '*') return fitsSlowly(rest, name) || (name.length > 0 && fitsSlowly(glob, name.slice(1)))
  const [char, ...others] = name
  if (char === undefined) return false
  const fits =
    token === '?' || (token === '[ab]' ? 'ab'.includes(char) : token === '[!a]' ? char !== 'a' : char === token)
  return fits && fitsSlowly(rest, others)
}

test('any pattern of stars, sets and letters fits what it says', () => {
  const glob = fc.array(fc.constantFrom('*', '?', '[ab]', '[!a]', 'a', 'b', '😀'), { minLength: 1, maxLength: 7 })
  const name = fc.array(fc.constantFrom('a', 'b', '😀', '.'), { minLength: 1, maxLength: 8 })
  fc.assert(
    fc.property(glob, name, (tokens, chars) => {
      fc.pre(tokens.join('') !== '**' && !/^\.\.?$/.test(chars.join('')))
      expect(matches(`/${tokens.join('')}`, `/${chars.join('')}`)).toBe(fitsSlowly(tokens, chars))
    }),
    { numRuns: 3000 },
  )
})

/** Milliseconds of this process's own, whatever else the machine does. */
function cpuTime(): () => number {
  const start = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(start)
    return (user + system) / 1000
  }
}

describe('takes little time', () => {
  const deep = `/${Array(200).fill('a').join('/')}`
  test.each([
    ['many stars', `${'*a'.repeat(100)}b`, `/${'a'.repeat(255)}`],
    ['stars and sets', `${'[a-z]*'.repeat(100)}Q`, `/${'a'.repeat(255)}`],
    ['stars and question marks', `${'*?'.repeat(100)}b`, `/${'a'.repeat(255)}`],
    ['many double stars', `/${'**/a/'.repeat(60)}b`, deep],
    ['stars between double stars', `/${'**/*a*/'.repeat(60)}b`, deep],
    ['as long as it may be', '?'.repeat(4096), `/${'a'.repeat(4096)}`],
    ['a long set', `*[${'a-z'.repeat(1300)}]*Q`, `/${'a'.repeat(255)}`],
  ])('with %s', (_, pattern, path) => {
    const spent = cpuTime()
    matches(pattern, path)
    expect(spent()).toBeLessThan(1000)
  })

  test('with 50 000 patterns and many paths', () => {
    const matcher = compilePatterns(
      Array.from({ length: 50_000 }, (_, i) => (i % 2 ? `/data/x/file${i}` : `*/name${i}`)),
    )
    const spent = cpuTime()
    let selected = 0
    for (let i = 0; i < 5000; i++) if (matcher.matches(byteStringOf(`/data/x/file${i}`), false)) selected++
    expect(selected).toBe(2500)
    expect(spent()).toBeLessThan(2000)
  })
})
