import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openTestRepository } from '../../helpers/repository.ts'
import { type CliOptions, type CliResult, redact, runCli } from '../../helpers/run-cli.ts'
import { seededBytes } from '../../helpers/seeded-bytes.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../helpers/temporary-directory.ts'

let tmp: TemporaryDirectory

/** Three snapshots on three days, each with a file of its own. */
beforeEach(async () => {
  tmp = await temporaryDirectory()
  mkdirSync(join(tmp.path, 'node'))
  await run(['init'])
  for (const day of ['19', '20', '21']) {
    writeFileSync(join(tmp.path, 'node/file'), seededBytes(day, 200_000))
    await run(['backup', 'node', '--tag', `day${day}`, '--time', `2025-11-${day}T07:00:00Z`])
  }
})
afterEach(() => tmp[Symbol.asyncDispose]())

const run = (argv: readonly string[], options?: CliOptions): Promise<CliResult> => runCli(tmp.path, argv, options)
async function list(): Promise<{ id: string; tags?: string[] }[]> {
  return (await run(['snapshots', '--json'])).json()[0] as unknown as { id: string; tags?: string[] }[]
}
const tags = async (): Promise<unknown[]> => (await list()).map((each) => each.tags?.join(','))
function packBytes(): number {
  const sizes = ['data', 'meta'].flatMap((kind) =>
    readdirSync(join(tmp.path, 'repository', kind), { recursive: true, encoding: 'utf8' })
      .map((name) => statSync(join(tmp.path, 'repository', kind, name)))
      .map((stats) => (stats.isFile() ? stats.size : 0)),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

describe('forget', () => {
  test('shows what it keeps and why, and what goes', async () => {
    const { stdout, code } = await run(['forget', '--keep-last', '1', '--keep-tag', 'day19', '--keep-within', '1d12h'])
    expect(code).toBe(0)
    expect(redact(stdout, tmp.path).replace(/-{9,}/g, '---')).toBe(
      `Snapshots of host test-host; paths /TMP/node

keep 3 snapshots:
ID        Time                 Kind         Tags      Size  Reasons
---
<id8>  <time>  full         day19  195 KiB  has tags day19
<id8>  <time>  incremental  day20  195 KiB  within 1d12h
<id8>  <time>  incremental  day21  195 KiB  within 1d12h
${' '.repeat(60)}last snapshot
---

0 snapshots removed
`,
    )
    const { stdout: other } = await run(['forget', '--keep-last', '1'])
    expect(other).toMatch(/remove 2 snapshots:\n/)
    expect(other).toMatch(/\n2 snapshots removed\n$/)
    expect(await tags()).toEqual(['day21'])
  })

  test('removes nothing in a dry run', async () => {
    const { stdout } = await run(['forget', '--keep-daily', '1', '--dry-run', '--prune'])
    expect(stdout).toMatch(/\nwould remove 2 snapshots\n/)
    expect(stdout).toMatch(/Would free +[1-9]/)
    expect(await tags()).toHaveLength(3)
  })

  test('a dry run foretells to the byte what is then freed', async () => {
    const freed = async (...flags: string[]): Promise<unknown> => {
      const lines = (
        await run(['forget', '--keep-last', '1', '--prune', '--json', ...flags])
      ).json() as unknown as unknown[]
      return (lines.at(-1) as { bytes_freed: number }).bytes_freed
    }
    const foretold = await freed('--dry-run')
    expect(foretold).toBeGreaterThan(0)
    expect(await tags()).toHaveLength(3)
    expect(await freed()).toBe(foretold)
  })

  test('is restic’s array for programs', async () => {
    const [groups] = (await run(['forget', '--keep-last', '2', '--json'])).json() as unknown as [unknown[]]
    expect(groups).toMatchObject([
      {
        tags: null,
        host: 'test-host',
        paths: [join(tmp.path, 'node')],
        keep: [{ tags: ['day20'] }, { tags: ['day21'] }],
        remove: [{ tags: ['day19'] }],
        reasons: [{ snapshot: { tags: ['day20'] }, matches: ['last snapshot'] }, { matches: ['last snapshot'] }],
      },
    ])
  })

  test('removes what it is given, also when that is damaged', async () => {
    await run(['forget', 'latest~1'])
    expect(await tags()).toEqual(['day19', 'day21'])
    const folder = join(tmp.path, 'repository/snapshots')
    const [name] = readdirSync(folder)
    rmSync(join(folder, name!))
    writeFileSync(join(folder, name!), 'damaged')
    expect((await run(['forget', name!.slice(0, 8)])).code).toBe(0)
    expect(readdirSync(folder)).toHaveLength(1)
  })

  test('keeps the oldest, too, while a rule could keep more, and its help says so', async () => {
    await run(['backup', 'node', '--tag', 'oldest', '--time', '2025-11-19T06:00:00Z'])
    const { stdout } = await run(['forget', '--keep-daily', '9'])
    expect(stdout).toContain('oldest daily snapshot')
    expect(await tags()).toContain('oldest')
    expect((await run(['help', 'forget'])).stdout).toContain('it keeps the oldest snapshot, too')
  })

  test('counts what is dated in the future, or before its parent, for nothing, and says so', async () => {
    const [, , parent] = (await list()).map(({ id }) => id)
    await run(['backup', 'node', '--tag', 'future', '--time', '2999-01-01'])
    await run(['backup', 'node', '--tag', 'back', '--time', '2025-11-20T23:00:00Z', '--parent', parent!])
    const { stdout, stderr } = await run(['forget', '--keep-last', '1', '--keep-within', '1h'])
    expect(stderr).toMatch(
      /snapshot \w{8} \(2999-01-01 00:00:00\) is dated in the future: it is kept, and counted for nothing/,
    )
    expect(stderr).toMatch(/snapshot \w{8} \(2025-11-20.*\) is dated before what it was made after: it is kept/)
    expect(stdout).toContain('\n2 snapshots removed\n')
    expect(await tags()).toEqual(['back', 'day21', 'future'])
    const check = await run(['check'])
    expect(check.stderr).toMatch(/dated in the future: a clock was wrong; forget keeps it whatever its rules say/)
    expect(check.stderr).toMatch(/dated before what it was made after: a clock was wrong/)
    expect(check.code).toBe(0)
  })

  describe('where rules would remove too much', () => {
    test('removes nothing, and names the flag', async () => {
      const refused = await run(['forget', '--keep-tag', 'nobody-has-this', '--prune'])
      expect(refused).toMatchObject({ code: 1, stdout: '' })
      expect(refused.stderr).toMatch(
        /^chainkeep: nothing is removed: no rule keeps any of the 3 snapshots of host test-host and paths [^ ]*; if that is meant, give --unsafe-allow-remove-all\n$/,
      )
      const limited = await run(['forget', '--keep-last', '1', '--max-remove', '50%'])
      expect(limited).toMatchObject({ code: 1, stdout: '' })
      expect(limited.stderr).toMatch(
        /: the rules would remove 2 of the 3 snapshots of host .* and paths .*, which is more than 50%; if that is meant, give --max-remove 2$/m,
      )
      const together = await run(['forget', '--keep-last', '1', '--max-remove', '1', '--group-by', ''])
      expect(together.stderr).toMatch(/: the rules would remove 2 of the 3 snapshots, which is more than 1; if that /)
      expect(together.code).toBe(1)
      expect((await run(['forget', '--keep-last', '1', '--max-remove', 'half'])).code).toBe(2)
      expect(await tags()).toHaveLength(3)
    })

    test('programs hear it as an error, and get no plan', async () => {
      const { code, stdout, stderr } = await run(['forget', '--keep-tag', 'nobody-has-this', '--json'])
      expect([code, stdout]).toEqual([1, ''])
      expect(JSON.parse(stderr)).toMatchObject({ message_type: 'exit_error', code: 1 })
    })

    test('a dry run shows what would go, and what it would take', async () => {
      const { code, stdout, stderr } = await run(['forget', '--keep-tag', 'nobody-has-this', '-n'])
      expect([code, stdout.match(/remove 3 snapshots/g)]).toEqual([0, ['remove 3 snapshots', 'remove 3 snapshots']])
      expect(stderr).toMatch(
        /without --dry-run this would be refused: no rule keeps any of .*--unsafe-allow-remove-all/,
      )
    })

    test('does so when told to', async () => {
      expect((await run(['forget', '--keep-last', '1', '--max-remove', '2'])).code).toBe(0)
      expect(await tags()).toEqual(['day21'])
      expect((await run(['forget', '--keep-last', '0'])).code).toBe(2)
      expect((await run(['forget', '--unsafe-allow-remove-all'])).code).toBe(2)
      expect((await run(['forget', '--unsafe-allow-remove-all', '--host', 'test-host'])).code).toBe(0)
      expect(await tags()).toEqual([])
    })

    test('ids are told one by one, and the last may be among them', async () => {
      expect((await run(['forget', ...(await list()).map(({ id }) => id)])).code).toBe(0)
      expect(await tags()).toEqual([])
    })
  })

  test('refuses to run without rules, and to mix them with ids', async () => {
    const { code, stderr } = await run(['forget'])
    expect(code).toBe(2)
    expect(stderr).toMatch(/^chainkeep: without a rule of what to keep, every snapshot would go/)
    expect((await run(['forget', '--keep-last', '0'])).code).toBe(2)
    expect((await run(['forget', '--keep-last', '1', 'latest'])).code).toBe(2)
    expect((await run(['forget', '--keep-last', 'all'])).stderr).toContain('It is a number, or unlimited.')
    expect((await run(['forget', '--keep-within', '3 weeks'])).stderr).toContain('"3 weeks" is not a duration')
    expect(await tags()).toHaveLength(3)
  })

  test('with --prune frees what it says', async () => {
    const before = packBytes()
    const { json, code } = await run(['forget', '--keep-last', '1', '--prune', '--json'])
    expect(code).toBe(0)
    const summary = json().at(-1)!
    expect(summary).toMatchObject({ message_type: 'summary', bytes_left: packBytes() })
    expect(summary.bytes_freed).toBe(before - packBytes())
    expect(before - packBytes()).toBeGreaterThan(400_000)
  })
})

describe('prune', () => {
  test('tells what it would do, and does it', async () => {
    await run(['forget', 'latest~1'])
    const before = packBytes()
    const planned = await run(['prune', '-n', '--max-unused', '0'])
    expect(planned.stdout).toMatch(/^Would free +19\d KiB$/m)
    expect(packBytes()).toBe(before)
    const done = await run(['prune', '--max-unused', '0'])
    expect(done.stdout).toMatch(/^Freed +19\d KiB$/m)
    expect(done.code).toBe(0)
    expect(before - packBytes()).toBeGreaterThan(195_000)
    expect((await run(['dump', 'latest', join(tmp.path, 'node/file')])).code).toBe(0)
  })

  test('understands shares, sizes and unlimited', async () => {
    for (const limit of ['10%', '64K', 'unlimited', '0'])
      expect((await run(['prune', '-n', '--max-unused', limit])).code).toBe(0)
    for (const limit of ['10', 'all', '101%', '-1'].slice(1))
      expect((await run(['prune', '--max-unused', limit])).code).toBe(2)
  })

  test('condemns while somebody else is at work, says so, and frees it later', async () => {
    const before = packBytes()
    const other = await openTestRepository(tmp.path)
    await other.beginReading()
    const [forget, prune] = [['forget', '--keep-last', '1', '--prune', '--json'], ['prune']]
    const now = await run([...forget, '--grace', '0h', '--dry-run'])
    expect(now.code).toBe(0) // a dry run disturbs nobody
    const planned = (await run([...forget, '--dry-run'])).json().at(-1)
    const forgotten = (await run(forget)).json().at(-1)
    const reader = { host: 'test-host', pid: process.pid, mode: 'read', since: expect.any(String) }
    expect(forgotten).toMatchObject({
      packs_removed: 0,
      bytes_freed: 0,
      packs_condemned: 4,
      bytes_left: before,
      condemned: [{ packs: 4, waits_for: [reader] }],
    })
    expect(planned).toEqual({ ...forgotten, dry_run: true, condemned: expect.anything() })
    expect(packBytes()).toBe(before)

    const told = await run(prune)
    const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`
    const who = String.raw`process \d+ on test-host is reading the repository \(since ${time}\)`
    const alone = 'one without --grace at once, if nobody else is at work'
    const condemned = String.raw`^Condemned +39\d KiB in 4 packs: a prune frees it after ${time}`
    expect([told.code, told.stdout]).toEqual([
      0,
      expect.stringMatching(new RegExp(`${condemned}, and when nobody relies on it any more: ${who}; ${alone}$`, 'm')),
    ])
    const refused = await run([...prune, '--grace', '0h'])
    const advice = 'wait until it has finished, or prune without --grace: '
    expect([refused.code, refused.stderr]).toEqual([
      11,
      expect.stringMatching(new RegExp(`^chainkeep: ${who}; ${advice}`)),
    ])
    await other.close()

    const kept = await run([...prune, '--grace', '1h'])
    expect(kept.stdout).toMatch(new RegExp(`${condemned}; ${alone}$`, 'm'))
    expect(packBytes()).toBe(before)
    // Nobody else is at work now:
    const [summary] = (await run([...prune, '--json'])).json()
    expect(summary).toMatchObject({ packs_removed: 4, packs_condemned: 0, condemned: [], bytes_left: packBytes() })
    expect(summary!.bytes_freed).toBe(before - packBytes())
  })

  test('understands durations, and nothing else, as a grace', async () => {
    for (const verb of [['prune'], ['forget', '--keep-last', '1', '--prune']])
      for (const grace of ['', '1', '90s', '-1d', 'soon']) {
        const { code, stderr } = await run([...verb, '--grace', grace])
        expect([code, stderr]).toEqual([2, expect.stringContaining(`"${grace}" is not a duration`)])
      }
    expect(await tags()).toHaveLength(3)
  })
})

describe('tag', () => {
  test('adds, removes and sets', async () => {
    expect((await run(['tag', '--add', 'a,b', 'latest'])).stdout).toMatch(
      /^snapshot [0-9a-f]{8} is now [0-9a-f]{8}: a, b, day21\n1 snapshot changed\n$/,
    )
    await run(['tag', '--remove', 'a', '--add', 'c'])
    expect(await tags()).toEqual(['c,day19', 'c,day20', 'b,c,day21'])
    await run(['tag', '--set', '', '--tag', 'day20'])
    expect(await tags()).toEqual(['c,day19', undefined, 'b,c,day21'])
    const lines = (await run(['tag', '--set', 'x', 'latest', '--json'])).json()
    expect(lines).toMatchObject([{ message_type: 'changed' }, { message_type: 'summary', changed_snapshots: 1 }])
  })

  test('needs to know what to change', async () => {
    expect((await run(['tag', 'latest'])).stderr).toContain('--set is missing: which tags to change')
    expect((await run(['tag', '--set', 'x', '--add', 'y'])).code).toBe(2)
  })
})
