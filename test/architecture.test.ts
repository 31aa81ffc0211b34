import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join, posix } from 'node:path'
import { describe, expect, test } from 'vitest'

/** The rooms of src/, from the ground up, and the rooms that each may import besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  native: ['base', 'package.json'], // where the kernel is
  chunker: ['base', 'native'],
  format: ['base', 'native'],
  backend: ['base', 'native'],
  worker: ['base', 'native', 'chunker', 'format'],
  repository: ['base', 'native', 'chunker', 'format', 'backend', 'worker'],
  backup: ['base', 'native', 'chunker', 'format', 'worker', 'repository'],
  restore: ['base', 'native', 'format', 'worker', 'repository'],
  browse: ['base', 'native', 'format', 'repository'],
  maintain: ['base', 'native', 'format', 'worker', 'repository'],
}
const ROOMS = Object.keys(MAY_IMPORT)
/** The public API; the command line, which stands on everything. */
const TOP: Readonly<Record<string, readonly string[]>> = {
  'index.ts': ROOMS,
  cli: [...ROOMS, 'index.ts', 'package.json'], // the version
}

/** The only rooms that may import these packages. */
const OWNERS: Readonly<Record<string, readonly string[]>> = {
  koffi: ['native'],
  'zstd-napi': ['native'],
  '@noble/hashes': ['native'],
  'node:worker_threads': ['native', 'worker'],
  level: ['repository'],
}

/**
 * What only the command line may touch, and index.ts, which gives a library's callers defaults: everything below takes the time,
 * its settings and chance from its caller.
 */
const OUTSIDE_WORLD = {
  'process.env': /\bprocess\.env\b/,
  'process.exit': /\bprocess\.exit\b/,
  'Date.now': /\bDate\.now\b/,
  'new Date()': /\bnew Date\(\s*\)/,
  'Math.random': /\bMath\.random\b/,
  'console.': /\bconsole\./,
}

/** Who may all the same: a variable that forces a path of the kernel, for tests and CI, must reach every thread. */
const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  'process.env': ['src/native/kernel.ts'],
}

const VAGUE_NAMES = ['util', 'utils', 'helper', 'helpers', 'common', 'types', 'constants']
const MAX_LINES = 300

interface Source {
  /** Such as `src/base/ids.ts`. */
  readonly path: string
  /** The folder below src, or the file's name for a file that is in none. */
  readonly room: string
  readonly text: string
  /** The text without comments. */
  readonly code: string
}

const sources = readSources(join(import.meta.dirname, '..'))

describe('rooms', () => {
  test('every source file is in a room', () => {
    const known = { ...MAY_IMPORT, ...TOP }
    expect(sources.filter(({ room }) => !(room in known)).map(({ path }) => path)).toEqual([])
  })

  for (const [room, allowed] of Object.entries({ ...MAY_IMPORT, ...TOP }))
    test(`${room} imports ${allowed.length === 0 ? 'no other room' : `only ${allowed.join(', ')}`}`, () => {
      const found = importsOf(room).flatMap(({ path, target }) => {
        if (!target.startsWith('.')) return []
        const other = roomOf(posix.join(posix.dirname(path), target))
        return other === room || allowed.includes(other) ? [] : [`${path} imports ${target}`]
      })
      expect(found).toEqual([])
    })

  test('base imports only itself and node: modules', () => {
    const found = importsOf('base').filter(({ target }) => !/^(node:|\.)/.test(target))
    expect(found).toEqual([])
  })
})

describe('packages', () => {
  for (const [name, owners] of Object.entries(OWNERS))
    test(`${name} is imported only by ${owners.join(' and ')}`, () => {
      const bare = name.replace(/^node:/, '')
      const isIt = (target: string): boolean => [name, bare].some((it) => target === it || target.startsWith(`${it}/`))
      const strangers = sources.filter(({ room }) => !owners.includes(room))
      const found = strangers.filter((source) => targetsOf(source.code).some(isIt)).map(({ path }) => path)
      expect(found).toEqual([])
    })
})

describe('the outside world', () => {
  for (const [name, pattern] of Object.entries(OUTSIDE_WORLD))
    test(`${name} stays in src/cli and src/index.ts`, () => {
      const strangers = sources.filter(({ room, path }) => !(room in TOP) && !EXCEPTIONS[name]?.includes(path))
      const found = strangers.flatMap((source) => linesWith(source, pattern))
      expect(found).toEqual([])
    })
})

describe('files', () => {
  test(`none is longer than ${MAX_LINES} lines without a reason at its head`, () => {
    const found = sources
      .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n') }))
      .filter(({ lines }) => lines.length > MAX_LINES)
      .filter(({ lines }) => !lines.slice(0, 5).some((line) => line.startsWith('// Long on purpose:')))
      .map(({ path, lines }) => `${path} has ${lines.length} lines`)
    expect(found).toEqual([])
  })

  test('a thing lives with its concept: no vague names', () => {
    const isVague = (part: string): boolean => VAGUE_NAMES.includes(basename(part, '.ts'))
    expect(sources.map(({ path }) => path).filter((path) => path.split('/').some(isVague))).toEqual([])
  })
})

describe('this test sees', () => {
  test('the sources', () => {
    expect(sources.map(({ path }) => path)).toContain('src/base/ids.ts')
  })

  test('every way to import', () => {
    const code = `import a from 'a'\nimport type { b } from "b"\nexport * from 'c'\nimport 'd'\nawait import('e')
      require('f')\nimport {\n  g,\n} from 'g'\nnew URL('./h.js', import.meta.url)`
    expect(targetsOf(code).sort()).toEqual(['./h.js', 'a', 'b', 'c', 'd', 'e', 'f', 'g'])
  })

  test('code, not comments', () => {
    expect(withoutComments("a // console.log\n/* Date.now()\n */ b('http://c')")).toBe("a \n\n b('http://c')")
  })
})

function readSources(root: string): Source[] {
  if (!existsSync(join(root, 'src'))) return []
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  return files
    .filter((file) => file.endsWith('.ts'))
    .sort()
    .map((file) => {
      const text = readFileSync(join(root, 'src', file), 'utf8')
      return { path: `src/${file}`, room: roomOf(`src/${file}`), text, code: withoutComments(text) }
    })
}

/** Of `src/base/ids.ts` it is `base`, of `src/index.ts` it is `index.ts`. */
function roomOf(path: string): string {
  return path.split('/')[1] ?? path
}

/** Keeps the line breaks, so that line numbers stay true. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, '')).replace(/(^|\s)\/\/.*/gm, '$1')
}

function importsOf(room: string): { path: string; target: string }[] {
  return sources
    .filter((source) => source.room === room)
    .flatMap(({ path, code }) => targetsOf(code).map((target) => ({ path, target })))
}

function targetsOf(code: string): string[] {
  const patterns = [/\bfrom\s*'([^']+)'/g, /\bimport\s*\(?\s*'([^']+)'/g, /\brequire\s*\(\s*'([^']+)'/g, URL_IMPORT]
  return patterns.flatMap((pattern) => [...code.replaceAll('"', "'").matchAll(pattern)].map((match) => match[1]!))
}

/** How the entry of a worker thread is named. */
const URL_IMPORT = /\bnew URL\(\s*'([^']+)',\s*import\.meta\.url/g

function linesWith({ path, code }: Source, pattern: RegExp): string[] {
  return code.split('\n').flatMap((line, i) => (pattern.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : []))
}
