import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Cut } from './script.ts'

const BINARY = new URL('../../../dist/cli/bin.js', import.meta.url).pathname
const OTHER_HOST = new URL('other-host.cjs', import.meta.url).pathname
/** No command may take longer, whatever the others do: none waits for another. */
const MAX_MS = 60_000
const TICK_MS = 100

/** A host as a process sees it. */
export interface Host {
  readonly name: string
  /** By how much its clock is wrong. */
  readonly skewMs: number
  readonly cache: string
}

export interface Outcome {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** What was sent to it: it may have ended before. */
  readonly cut: Cut['signal'] | undefined
  readonly stdout: string
  readonly messages: readonly Message[]
  /** How long it took, roughly. */
  readonly ms: number
  readonly isLate: boolean
}

/** What it has said on stderr. */
export interface Message {
  readonly type: string
  readonly text: string
}

/** Runs the program on a host. `running` holds the numbers of the processes that live; `onSleep` is told of one that sleeps. */
export async function runProgram(
  argv: readonly string[],
  host: Host,
  {
    repository,
    running,
    cut,
    onSleep,
  }: {
    readonly repository: string
    readonly running: Set<number>
    readonly cut?: Cut
    readonly onSleep?: (pid: number) => void
  },
): Promise<Outcome> {
  const env = {
    ...process.env,
    NODE_OPTIONS: `--require ${OTHER_HOST}`,
    CHAINKEEP_TEST_HOST: host.name,
    CHAINKEEP_TEST_SKEW_MS: String(host.skewMs),
    CHAINKEEP_REPOSITORY: repository,
    CHAINKEEP_CACHE_DIR: host.cache,
  }
  const child = spawn(process.execPath, [BINARY, ...argv, '--json'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const pid = child.pid!
  running.add(pid)
  let ticks = 0
  let isLate = false
  // Counted, not measured: a time in which this process did not run does not count either.
  const watch = setInterval(() => {
    if (++ticks * TICK_MS < MAX_MS) return
    isLate = true
    child.kill('SIGKILL')
  }, TICK_MS)
  const timers: NodeJS.Timeout[] = []
  let sent: Cut['signal'] | undefined
  if (cut)
    timers.push(
      setTimeout(() => {
        if (!child.kill(cut.signal)) return
        sent = cut.signal
        if (cut.signal !== 'SIGSTOP') return
        onSleep?.(pid)
        timers.push(setTimeout(() => child.kill('SIGCONT'), cut.forMs))
      }, cut.afterMs),
    )
  const [stdout, stderr] = [collect(child.stdout), collect(child.stderr)]
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  for (const timer of timers) clearTimeout(timer)
  clearInterval(watch)
  running.delete(pid)
  return { code, signal, cut: sent, stdout: stdout(), messages: messagesIn(stderr()), ms: ticks * TICK_MS, isLate }
}

function collect(stream: NodeJS.ReadableStream): () => string {
  const parts: Buffer[] = []
  stream.on('data', (part: Buffer) => parts.push(part))
  return () => Buffer.concat(parts).toString()
}

function messagesIn(stderr: string): Message[] {
  return stderr
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      try {
        const { message_type, message, error } = JSON.parse(line) as {
          message_type: string
          message?: string
          error?: { message: string }
        }
        return { type: message_type, text: message ?? error?.message ?? line }
      } catch {
        return { type: 'not JSON', text: line }
      }
    })
}

/** The last line of JSON with this type; undefined if it did not come to that. */
export function findJson(stdout: string, isWanted: (value: Record<string, unknown>) => boolean): unknown {
  for (const line of stdout.split('\n').reverse()) {
    const value = tryParse(line)
    if (typeof value === 'object' && value !== null && isWanted(value as Record<string, unknown>)) return value
  }
  return undefined
}

function tryParse(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined // cut off
  }
}
