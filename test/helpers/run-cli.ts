import { join } from 'node:path'
import type { Io, Sink } from '../../src/cli/io.ts'
import { main } from '../../src/cli/main.ts'

export interface CliResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
  /** Every line of stdout, decoded. */
  json(): Record<string, unknown>[]
}

export interface CliOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  readonly stdin?: readonly Uint8Array[]
  readonly isTerminal?: boolean
  readonly columns?: number
  readonly now?: () => number
  readonly signal?: AbortSignal
  readonly host?: string
}

/** Runs a command line in this process, as the binary would, in a folder of the test's own. */
export async function runCli(directory: string, argv: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const { isTerminal = false, columns = 80 } = options
  const written: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] }
  const sink = (name: 'stdout' | 'stderr'): Sink => ({
    isTerminal,
    columns,
    write: (content) => {
      written[name].push(Buffer.from(content as Uint8Array))
    },
    drain: async () => {},
    flush: async () => {},
  })
  const io: Io = {
    stdin: (async function* () {
      yield* options.stdin ?? []
    })(),
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    env: {
      CHAINKEEP_REPOSITORY: join(directory, 'repository'),
      CHAINKEEP_CACHE_DIR: join(directory, 'cache'),
      ...options.env,
    },
    cwd: options.cwd ?? directory,
    host: options.host ?? 'test-host',
    user: 'operator',
    homeDirectory: directory,
    platform: 'linux',
    now: options.now ?? Date.now,
    signal: options.signal ?? new AbortController().signal,
  }
  const code = await main(argv, io)
  const stdout = Buffer.concat(written.stdout).toString()
  return {
    code,
    stdout,
    stderr: Buffer.concat(written.stderr).toString(),
    json: () =>
      stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  }
}

/** Text with what differs from run to run made the same: ids, times, durations, sizes and paths of the test's folder. */
export function redact(text: string, directory: string): string {
  return text
    .replaceAll(directory, '/TMP')
    .replace(/\b[0-9a-f]{64}\b/g, '<id>')
    .replace(/\b[0-9a-f]{8}\b/g, '<id8>')
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, '<time>')
    .replace(/\b\d+\.\d s\b/g, '<time>')
}
