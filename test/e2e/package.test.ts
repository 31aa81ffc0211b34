import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seededBytes } from '../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../helpers/temporary-directory.ts'

const ROOT = join(import.meta.dirname, '../..')
const { dependencies, bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  dependencies: Record<string, string>
  bin: { chainkeep: string }
}

let tmp: TemporaryDirectory
const at = (...path: string[]): string => join(tmp.path, ...path)
const run = (...argv: string[]): string =>
  execFileSync(process.execPath, argv, {
    cwd: tmp.path,
    encoding: 'utf8',
    env: { ...process.env, CHAINKEEP_CACHE_DIR: at('cache'), CHAINKEEP_REPOSITORY: at('repository') },
  })

/** What npm would publish, unpacked as it would install it: with the packages that it depends on, and no others. */
beforeAll(async () => {
  tmp = await temporaryDirectory()
  execFileSync('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', tmp.path], { cwd: ROOT })
  const [archive] = readdirSync(tmp.path)
  mkdirSync(at('node_modules/chainkeep'), { recursive: true })
  execFileSync('tar', ['-xzf', at(archive!), '-C', at('node_modules/chainkeep'), '--strip-components=1'])
  for (const name of Object.keys(dependencies)) {
    mkdirSync(dirname(at('node_modules/chainkeep/node_modules', name)), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules', name), at('node_modules/chainkeep/node_modules', name))
  }
  mkdirSync(at('source'))
  writeFileSync(at('source/file'), seededBytes('package', 6_000_000)) // enough for threads to be started
})
afterAll(() => tmp[Symbol.asyncDispose]())

test('the package holds nothing but what runs, what it is built of at install, and documents', () => {
  const names = readdirSync(at('node_modules/chainkeep')).sort()
  const expected = ['CHANGELOG.md', 'FORMAT.md', 'LICENSE', 'README.md', 'dist', 'node_modules', 'package.json', 'src']
  expect(expected).toEqual(expect.arrayContaining(names))
  expect(readdirSync(at('node_modules/chainkeep/dist')).sort()).toEqual(
    ['chunks', 'cli', 'index.js', 'licenses.txt', 'package.json', 'types', 'worker'].sort(),
  )
})

test('its files name the licences of the packages that are bundled into them', () => {
  const licenses = readFileSync(at('node_modules/chainkeep/dist/licenses.txt'), 'utf8')
  for (const name of ['cborg', 'commander']) expect(licenses).toMatch(new RegExp(`^${name}$`, 'm'))
  expect(licenses.match(/Copyright/g)!.length).toBeGreaterThanOrEqual(2)
})

describe('an installed package', () => {
  test('runs its program, with threads', () => {
    const program = at('node_modules/chainkeep', bin.chainkeep)
    expect(readFileSync(program, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/)
    expect(run(program, 'version')).toMatch(/^chainkeep \d/)
    run(program, 'init')
    expect(run(program, 'backup', 'source')).toMatch(/^snapshot [0-9a-f]{8} saved/m)
    run(program, 'restore', 'latest', '--target', 'restored')
    expect(readFileSync(join(at('restored'), at('source/file'))).equals(readFileSync(at('source/file')))).toBe(true)
  })

  test('is a library for either kind of module', () => {
    const use = `
      openRepository('repository').then(async (repository) => {
        const { snapshot } = await backup(repository, { paths: [byteStringOf(${JSON.stringify(at('source'))})], kind: 'full' })
        console.log(snapshot.summary.totalFiles)
        await repository.close()
      })`
    writeFileSync(at('a.mjs'), `import { backup, byteStringOf, openRepository } from 'chainkeep'${use}`)
    writeFileSync(at('b.cjs'), `const { backup, byteStringOf, openRepository } = require('chainkeep')${use}`)
    for (const script of ['a.mjs', 'b.cjs']) expect(run(script)).toBe('1\n')
  })

  test.each(['mts', 'cts'])('tells a .%s file its types', (extension) => {
    const right =
      "import { openRepository } from 'chainkeep'\nexport const id = openRepository('x').then((it) => it.config.repositoryId)\n"
    writeFileSync(at(`right.${extension}`), `${right}export const text: Promise<string> = id\n`)
    writeFileSync(at(`wrong.${extension}`), `${right}export const text: Promise<number> = id\n`)
    const flags = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2022',
      '--types',
      'node',
      '--typeRoots',
    ]
    const check = (file: string): string =>
      run(join(ROOT, 'node_modules/typescript/bin/tsc'), ...flags, join(ROOT, 'node_modules/@types'), file)
    expect(check(`right.${extension}`)).toBe('')
    expect(() => check(`wrong.${extension}`)).toThrow()
  })
})
