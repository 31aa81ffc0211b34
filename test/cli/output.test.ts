import { describe, expect, test } from 'vitest'
import { byteStringOf, toByteString } from '../../src/base/bytes.ts'
import type { Io } from '../../src/cli/io.ts'
import { Output, type OutputOptions, pathField } from '../../src/cli/output.ts'

interface Screen {
  readonly output: Output
  readonly stop: AbortController
  stdout: string
  stderr: string
  nowMs: number
}

function screen(options: Partial<OutputOptions> = {}, isTerminal = true, env: Io['env'] = {}): Screen {
  const stop = new AbortController()
  const written: { stdout: string; stderr: string; nowMs: number } = { stdout: '', stderr: '', nowMs: 0 }
  const sink = (name: 'stdout' | 'stderr'): Io['stdout'] => ({
    isTerminal,
    columns: 100,
    write: (content) => {
      written[name] += String(content)
    },
    drain: async () => {},
    flush: async () => {},
  })
  const io = { stdout: sink('stdout'), stderr: sink('stderr'), env, now: () => written.nowMs, signal: stop.signal }
  const output = new Output(io as unknown as Io, { json: false, verbosity: 0, color: true, ...options })
  return Object.assign(written, { output, stop })
}

describe('text and JSON', () => {
  test('one of them is written', () => {
    const text = screen()
    const json = screen({ json: true })
    for (const { output } of [text, json]) {
      output.print('for people')
      output.json({ for: 'programs' })
    }
    expect(text.stdout).toBe('for people\n')
    expect(json.stdout).toBe('{"for":"programs"}\n')
  })

  test('quiet leaves out what was done and notices, not results and failures', () => {
    const it = screen({ verbosity: -1 })
    it.output.print('result')
    it.output.info('done')
    it.output.notice('by the way')
    it.output.failure(byteStringOf('/a'), 'broken', 'archival')
    expect(it.stdout).toBe('result\n')
    expect(it.stderr).toBe('chainkeep: /a: broken\n')
  })

  test('errors for programs are JSON on stderr', () => {
    const json = screen({ json: true })
    json.output.failure(toByteString(Buffer.from([0x2f, 0xff])), 'broken', 'archival')
    json.output.fatal('no good', 1)
    expect(json.stdout).toBe('')
    expect(json.stderr.trim().split('\n').map((line) => JSON.parse(line))).toEqual([
      { message_type: 'error', error: { message: 'broken' }, during: 'archival', item: '/\\xff', item_bytes: 'L/8=' },
      { message_type: 'exit_error', code: 1, message: 'no good' },
    ]) // biome-ignore format: as the lines are
  })

  test('writing ends once it is interrupted', () => {
    const { output, stop } = screen()
    stop.abort()
    expect(() => output.print('more')).toThrow('interrupted')
  })
})

describe('colours', () => {
  test('are for terminals, unless not wanted', () => {
    expect(screen().output.paint.red('x')).toBe('\x1b[31mx\x1b[0m')
    expect(screen({ color: false }).output.paint.red('x')).toBe('x')
    expect(screen({}, false).output.paint.red('x')).toBe('x')
    expect(screen({}, true, { NO_COLOR: '1' }).output.paint.red('x')).toBe('x')
    expect(screen({}, true, { TERM: 'dumb' }).output.paint.red('x')).toBe('x')
  })
})

describe('progress', () => {
  const state = { phase: 'working', filesDone: 1 }

  test('is shown after a second, ten times a second, and taken away before other lines', () => {
    const it = screen()
    it.output.progress(state)
    it.nowMs = 999
    it.output.progress(state)
    expect(it.stderr).toBe('')
    for (it.nowMs = 1000; it.nowMs < 2000; it.nowMs += 10) it.output.progress(state)
    expect(it.stderr.split('\r').length - 1).toBe(10)
    it.output.print('a line')
    expect(it.stderr.endsWith('\r\x1b[K')).toBe(true)
    const before = it.stderr
    it.output.print('another')
    expect(it.stderr).toBe(before)
  })

  test('counts the time of phases that take turns for each by itself', () => {
    const it = screen({ json: true }, false)
    for (it.nowMs = 0; it.nowMs < 60_000; it.nowMs += 1000)
      it.output.progress({ phase: it.nowMs % 20_000 < 10_000 ? 'restoring' : 'verifying', filesDone: 1 })
    const seconds = it.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).seconds_elapsed)
    expect(Math.max(...seconds)).toBe(30)
  })

  test('ends at an interruption, which is answered at once', () => {
    const it = screen()
    it.nowMs = 2000
    it.output.progress(state)
    it.stop.abort()
    it.output.stopping()
    expect(it.stderr.endsWith('\r\x1b[Kchainkeep: stopping … (again: at once)\n')).toBe(true)
    const before = it.stderr
    it.nowMs = 5000
    it.output.progress(state)
    expect(it.stderr).toBe(before)
    for (const options of [{ json: true }, { verbosity: -1 }]) {
      const silent = screen(options)
      silent.output.stopping()
      expect(silent.stderr).toBe('')
    }
  })

  test('is not for pipes, nor with quiet', () => {
    for (const it of [screen({}, false), screen({ verbosity: -1 })]) {
      it.output.progress(state)
      it.nowMs = 5000
      it.output.progress(state)
      expect(it.stderr + it.stdout).toBe('')
    }
  })

  test('is a status message a second with JSON, or as often as the environment says', () => {
    for (const [env, count] of [
      [{}, 9],
      [{ CHAINKEEP_PROGRESS_FPS: '5' }, 45],
    ] as const) {
      // biome-ignore format: short
      const it = screen({ json: true }, false, env)
      for (it.nowMs = 0; it.nowMs < 10_000; it.nowMs += 10) it.output.progress(state)
      expect(Math.abs(it.stdout.trim().split('\n').length - count)).toBeLessThanOrEqual(1)
      expect(JSON.parse(it.stdout.split('\n')[0]!)).toMatchObject({ message_type: 'status', files_done: 1 })
    }
  })
})

test('paths that are not UTF-8 are given in base64, too', () => {
  expect(pathField(byteStringOf('/ü'))).toEqual({ path: '/ü' })
  expect(pathField(toByteString(Buffer.from([0x2f, 0xfc])))).toEqual({ path: '/\\xfc', path_bytes: 'L/w=' })
})
