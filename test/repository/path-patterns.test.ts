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
])('%j is refused', (pattern, reason) => {
  expect(() => compilePatterns([pattern])).toThrow(
    expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(reason) }),
  )
})
