import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type CliOptions, type CliResult, runCli } from '../../helpers/run-cli.ts'
import { seededBytes } from '../../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory

beforeEach(async () => {
  tmp = await temporaryDirectory()
  mkdirSync(join(tmp.path, 'node'))
  writeFileSync(join(tmp.path, 'node/damaged'), seededBytes('damaged', 1_000_000))
  await run(['init'])
  await run(['backup', 'node'])
  writeFileSync(join(tmp.path, 'node/sound'), seededBytes('sound', 100_000))
  await run(['backup', 'node'])
})
afterEach(() => tmp[Symbol.asyncDispose]())

const run = (argv: readonly string[], options?: CliOptions): Promise<CliResult> => runCli(tmp.path, argv, options)

/** The data packs, the largest first. */
function packsBySize(): string[] {
  const folder = join(tmp.path, 'repository/data')
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /[0-9a-f]{64}$/.test(name))
  return names.map((name) => join(folder, name)).sort((a, b) => statSync(b).size - statSync(a).size)
}

/** Changes a byte in the middle of the largest data pack. */
function damage(): void {
  const [path] = packsBySize()
  const bytes = readFileSync(path!)
  bytes[bytes.length >> 1]! ^= 1
  chmodSync(path!, 0o600)
  writeFileSync(path!, bytes)
}

test.each(['data', 'meta', 'snapshots', 'locks', 'tmp'])(
  'where %s/ is missing, one sentence says what to do',
  async (folder) => {
    const path = join(tmp.path, 'repository', folder)
    rmSync(path, { recursive: true })
    for (const argv of [
      ['backup', '--type', 'full', 'node'],
      ['prune'],
      ['check'],
      ['restore', 'latest', '--target', 'out'],
    ]) {
      const { code, stderr } = await run(argv)
      const isUnneeded = (folder === 'locks' || folder === 'tmp') && (argv[0] === 'check' || argv[0] === 'restore')
      const expected = `${path} is missing: the repository was not copied whole, or part of it is not mounted; bring it back, or make the folder if there was nothing in it\n`
      expect([argv[0], code, stderr.replace(/^chainkeep: (\/: )?/, '')]).toEqual(
        isUnneeded ? [argv[0], 0, ''] : [argv[0], 1, expected],
      )
    }
    mkdirSync(path)
    expect((await run(['backup', '--type', 'full', 'node'])).code).toBe(0)
  },
)

describe('check', () => {
  test('finds nothing wrong', async () => {
    const { code, stdout, stderr } = await run(['check', '--read-data'])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(
      /^Snapshots +2\nPacks +4 with \d+ objects\nRead +1\.\d+ MiB in \d packs\nTime +\d+\.\d s\nno damage was found\n$/,
    )
    const quick = (await run(['check'])).stdout
    expect(quick).not.toContain('Read ')
    expect(quick).toMatch(/\nno damage was found \(the data itself was not read: --read-data does\)\n$/)
  })

  test('reads the parts that are asked for', async () => {
    for (const part of ['1/1', '100%', '1G']) {
      const { code, stdout } = await run(['check', '--read-data-subset', part])
      expect(code).toBe(0)
      expect(stdout).toMatch(
        /^Read +1\.\d+ MiB of 1\.\d+ MiB in 4 of 4 packs\nTime +\d+\.\d s\nno damage was found in what was read\n$/m,
      )
    }
    for (const part of ['0/1', '2/1', '0%', '5', '101%', '0'].filter((each) => each !== '5'))
      expect((await run(['check', '--read-data-subset', part])).stderr).toContain('Give for example 1/12, 5% or 10G.')
    expect((await run(['check', '--read-data', '--read-data-subset', '1/2'])).code).toBe(2)
  })

  test('finds damage in the data when it reads them, and names what is hit', async () => {
    damage()
    expect((await run(['check'])).code).toBe(0)
    const { code, stdout, stderr } = await run(['check', '--read-data'])
    expect(code).toBe(1)
    expect(stderr).toMatch(/data\/[0-9a-f]{64}.*offset \d+/)
    expect(stdout).toMatch(/snapshot [0-9a-f]{8} of .*: 1 entry damaged/)
    expect(stdout).toContain('node/damaged')
    expect(stdout).toMatch(/1 problem found: "chainkeep help repair" tells what can be done\n$/)
  })

  test('lists twenty chunks of a lost pack, all of them when asked, and always for programs', async () => {
    mkdirSync(join(tmp.path, 'many'))
    for (let i = 0; i < 50; i++) writeFileSync(join(tmp.path, 'many', String(i)), `file ${i}`)
    await run(['backup', 'many'])
    for (const name of packsBySize().slice(2)) rmSync(name)
    const missing = async (...flags: string[]): Promise<number> =>
      (await run(['check', ...flags])).stderr.match(/ is missing/g)!.length
    expect([await missing(), await missing('-v'), await missing('--json')]).toEqual([20, 50, 50])
    expect((await run(['check'])).stdout).toContain('… and 30 more (-v lists them all)\n')
    expect((await run(['check', '-v'])).stdout).not.toContain('…')
  })

  test('tells programs the same', async () => {
    damage()
    const { code, json, stderr } = await run(['check', '--read-data', '--json'])
    expect(code).toBe(1)
    expect(JSON.parse(stderr)).toMatchObject({ message_type: 'error', type: 'object-corrupt', pack_class: 'data' })
    expect(json()).toMatchObject([
      { message_type: 'summary', num_errors: 1, broken_packs: [expect.any(String)], snapshots: 2 },
    ])
  })
})

describe('repair', () => {
  test('saves what is sound, takes out what is lost, and leaves nothing to complain of', async () => {
    damage()
    expect((await run(['repair', 'packs', '--dry-run'])).stdout).toMatch(
      /: \d+ can be saved, 1 lost\n1 pack would be repaired\n$/,
    )
    expect((await run(['repair', 'packs', '-n', '--json'])).json()).toMatchObject([
      { message_type: 'pack', pack_class: 'data', lost: 1 },
      { message_type: 'summary', dry_run: true, packs_repaired: 1 },
    ])
    expect((await run(['repair', 'packs'])).stdout).toMatch(
      /: \d+ saved, 1 lost\n1 pack repaired\nthe next backup stores again .* "chainkeep repair snapshots" .*\n$/,
    )
    expect((await run(['check'])).code).toBe(1)
    const planned = await run(['repair', 'snapshots', '-n'])
    expect(planned.stdout).toMatch(/would be repaired: 1 entry damaged/)
    expect((await run(['repair', 'snapshots', '--forget'])).stdout).toMatch(/\n2 snapshots of 2 lack something\n$/)
    expect((await run(['check', '--read-data'])).code).toBe(0)
    const { stdout } = await run(['ls', 'latest'])
    expect(stdout).toContain('node/sound')
    expect(stdout).not.toContain('node/damaged')
  })

  test('stores again what the source still has', async () => {
    for (const [flags, told] of [
      [[], /^healed: all that was lost is stored again \(1 object\)$/m],
      [['--type', 'full'], /^healed: all that was lost is stored again \(1 object\)$/m],
      [['--json'], /"lost_objects":1,"healed_objects":1,/],
    ] as const) {
      damage()
      await run(['repair', 'packs'])
      const { code, stdout } = await run(['backup', ...flags, 'node'])
      expect(code).toBe(0)
      expect(stdout).toMatch(told)
      expect((await run(['check', '--read-data'])).code).toBe(0)
    }
    expect((await run(['backup', 'node'])).stdout).not.toContain('healed')
    damage()
    await run(['repair', 'packs'])
    rmSync(join(tmp.path, 'node/damaged'))
    expect((await run(['backup', 'node'])).stdout).toMatch(/^lost: 1 object that .*; nothing of it is stored again$/m)
  })

  test('builds the index again', async () => {
    const { stdout, stderr } = await run(['repair', 'index'])
    expect(stderr).toBe('chainkeep: building the index from 4 packs\n')
    expect(stdout).toMatch(/^the index is built again: 4 packs with \d+ objects\n$/)
  })

  test('refuses what makes no sense', async () => {
    expect((await run(['repair', 'pack'])).stderr).toContain('did you mean packs?')
    for (const argv of [['index', '-n'], ['packs', '--forget'], ['index', 'abc']]) // biome-ignore format: short
      expect((await run(['repair', ...argv])).code).toBe(2)
    expect(await run(['repair', 'packs', 'xyz'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('"xyz" is not a pack'),
    })
    expect((await run(['repair', 'packs', 'f'.repeat(64)])).stderr).toContain('there is no pack')
  })
})
