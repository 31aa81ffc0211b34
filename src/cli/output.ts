import { type ByteString, decodeUtf8, displayBytes, harmlessText } from '../base/bytes.ts'
import { throwIfInterrupted } from '../base/errors.ts'
import { noProgress, type Progress, type ProgressState } from '../base/progress.ts'
import type { Io } from './io.ts'
import { formatProgress, statusMessage } from './progress-bar.ts'

export interface OutputOptions {
  readonly json: boolean
  /** -1 with --quiet, else how often --verbose was given. */
  readonly verbosity: number
  readonly color: boolean
}

/** Work that is over within this time shows no progress line. */
const PROGRESS_DELAY_MS = 1000
const LINE_FRAMES_PER_SECOND = 10
const JSON_FRAMES_PER_SECOND = 1

/** The one place that decides between text and JSON: commands say both, and one of them is written. */
export class Output {
  readonly isJson: boolean
  readonly verbosity: number
  readonly paint: Paint
  /** Where long work reports: a line on a terminal, status messages with --json; else `noProgress`, which spares it the work. */
  readonly progress: Progress
  readonly #io: Io
  #lineShown = false
  /** How long each phase has taken: some take turns. */
  readonly #elapsedMs = new Map<string, number>()
  readonly #startMs: number
  #lastReportMs: number
  #lastFrameMs: number

  constructor(io: Io, { json, verbosity, color }: OutputOptions) {
    this.#io = io
    this.isJson = json
    this.verbosity = verbosity
    this.paint = createPaint(color && !json && io.stdout.isTerminal && !io.env.NO_COLOR && io.env.TERM !== 'dumb')
    this.#startMs = this.#lastReportMs = this.#lastFrameMs = io.now()
    const isSeen = verbosity >= 0 && (json || io.stderr.isTerminal)
    this.progress = isSeen ? (state) => this.#report(state) : noProgress
  }

  /** A line that was asked for: for people, on stdout. */
  print(line = ''): void {
    if (!this.isJson) this.#write(harmlessText(`${line}\n`))
  }

  /** A line that tells what was done: left out with --quiet, or unless --verbose was given `level` times. */
  info(line = '', level = 0): void {
    if (this.verbosity >= level) this.print(line)
  }

  /** One line of JSON on stdout, for programs. */
  json(value: unknown): void {
    if (this.isJson) this.#write(`${JSON.stringify(value)}\n`)
  }

  /** The same for what people get only with --verbose given `level` times. */
  verboseJson(level: number, value: unknown): void {
    if (this.verbosity >= level) this.json(value)
  }

  /** Content of files: as it is, also with --json. Resolves when stdout takes more. */
  async bytes(content: Uint8Array): Promise<void> {
    this.#write(content)
    await this.#io.stdout.drain()
  }

  /** What the user may want to know, on stderr. */
  notice(text: string): void {
    if (this.verbosity < 0) return
    this.#complain(`chainkeep: ${text}`, { message_type: 'notice', message: text })
  }

  /** What went wrong with one thing, while the rest goes on. */
  failure(path: ByteString, reason: string, during: string): void {
    const { path: item, path_bytes } = pathField(path)
    this.#complain(`chainkeep: ${displayBytes(path)}: ${reason}`, {
      message_type: 'error',
      error: { message: reason },
      during,
      item,
      item_bytes: path_bytes,
    })
  }

  /** Damage that was found: what the command was asked for, and yet something for stderr. */
  problem(message: string, fields: Record<string, unknown>): void {
    this.#complain(message, { message_type: 'error', error: { message }, ...fields })
  }

  /** What an interruption is answered with at once: to stop may take a moment. */
  stopping(): void {
    this.close()
    if (this.verbosity >= 0 && !this.isJson) this.#io.stderr.write('chainkeep: stopping … (again: at once)\n')
  }

  /** Why the command fails. */
  fatal(message: string, code: number): void {
    this.#complain(`chainkeep: ${message}`, { message_type: 'exit_error', code, message })
  }

  /** More about a failure than one sentence. */
  stack(error: unknown): void {
    for (let each = error; each instanceof Error && !this.isJson; each = each.cause)
      this.#io.stderr.write(`${each.stack}\n`)
  }

  /** Takes the progress line away. */
  close(): void {
    if (this.#lineShown) this.#io.stderr.write('\r\x1b[K')
    this.#lineShown = false
  }

  #write(content: string | Uint8Array): void {
    throwIfInterrupted(this.#io.signal) // a listing ends where its reader, or its user, has had enough
    this.close()
    this.#io.stdout.write(content)
  }

  #complain(text: string, message: unknown): void {
    this.close()
    this.#io.stderr.write(`${this.isJson ? JSON.stringify(message) : harmlessText(text)}\n`)
  }

  #report(state: ProgressState): void {
    if (this.#io.signal.aborted) return
    const nowMs = this.#io.now()
    const elapsedMs = (this.#elapsedMs.get(state.phase) ?? 0) + nowMs - this.#lastReportMs
    this.#elapsedMs.set(state.phase, elapsedMs)
    this.#lastReportMs = nowMs
    const framesPerSecond =
      Number(this.#io.env.CHAINKEEP_PROGRESS_FPS) || (this.isJson ? JSON_FRAMES_PER_SECOND : LINE_FRAMES_PER_SECOND)
    if (nowMs - this.#startMs < PROGRESS_DELAY_MS || nowMs - this.#lastFrameMs < 1000 / framesPerSecond) return
    this.#lastFrameMs = nowMs
    if (this.isJson) {
      this.json(statusMessage(state, elapsedMs))
      return
    }
    this.#io.stderr.write(`\r${formatProgress(state, elapsedMs, this.#io.stderr.columns - 1)}\x1b[K`)
    this.#lineShown = true
  }
}

/** A path for JSON: as text, and in base64, too, where the text cannot say what its bytes are. */
export function pathField(path: ByteString): { path: string; path_bytes?: string } {
  const text = decodeUtf8(path)
  if (text !== undefined) return { path: text }
  return { path: displayBytes(path), path_bytes: Buffer.from(path, 'latin1').toString('base64') }
}

export type Paint = Readonly<Record<keyof typeof ANSI, (text: string) => string>>

const ANSI = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const

function createPaint(enabled: boolean): Paint {
  const entries = Object.entries(ANSI).map(([name, code]) => [
    name,
    enabled ? (text: string) => `\x1b[${code}m${text}\x1b[0m` : (text: string) => text,
  ])
  return Object.fromEntries(entries) as Paint
}
