import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createRepository } from '../helpers/repository.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')

test('the example of the library runs as it stands, on every Node that is supported', async () => {
  await using tmp = await temporaryDirectory()
  await createRepository(tmp.path)
  mkdirSync(join(tmp.path, 'source'))
  writeFileSync(join(tmp.path, 'source', 'file'), 'content')
  const example = /```js\n([\s\S]*?)```/.exec(readme)![1]!
  const script = example
    .replace("'chainkeep'", JSON.stringify(new URL('../../dist/index.js', import.meta.url).href))
    .replace('/mnt/backup/node', join(tmp.path, 'repository'))
    .replace('/var/lib/litecoin', join(tmp.path, 'source'))
  writeFileSync(join(tmp.path, 'example.mjs'), script)
  const env = { ...process.env, CHAINKEEP_CACHE_DIR: join(tmp.path, 'cache') }
  const printed = execFileSync(process.execPath, [join(tmp.path, 'example.mjs')], { env, encoding: 'utf8' })
  expect(printed).toMatch(/^[0-9a-f]{64} [1-9]\d*\n$/)
})

test('every file that README links to is there', () => {
  const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)].map((match) => match[1]!)
  expect(links.length).toBeGreaterThan(3)
  for (const link of links) expect(() => readFileSync(new URL(`../../${link}`, import.meta.url)), link).not.toThrow()
})
