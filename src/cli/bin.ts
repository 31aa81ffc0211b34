#!/usr/bin/env node
import { once } from 'node:events'
import { homedir, hostname, userInfo } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import { errnoOf, fileError } from '../base/errors.ts'
import { EXIT } from './exit-codes.ts'
import { BROKEN_PIPE, type Sink } from './io.ts'
import { main } from './main.ts'
import { openStdin } from './standard-input.ts'

const stop = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const)
  process.on(name, () => {
    if (stop.signal.aborted) process.exit(EXIT.interrupted) // asked twice: at once
    stop.abort()
  })
process.stdout.on('error', (error) => {
  stop.abort(errnoOf(error) === 'EPIPE' ? BROKEN_PIPE : fileError('cannot write to stdout', error))
})
process.stderr.on('error', () => {}) // who is to be told?

void main(process.argv.slice(2), {
  get stdin() {
    return openStdin(stop.signal)
  },
  stdout: sinkOf(process.stdout),
  stderr: sinkOf(process.stderr),
  env: process.env,
  cwd: process.cwd(),
  host: hostname(),
  user: userName(),
  homeDirectory: homedir(),
  platform: process.platform,
  now: Date.now,
  signal: stop.signal,
}).then((code) => {
  process.exitCode = code
})

function sinkOf(stream: NodeJS.WriteStream): Sink {
  return {
    isTerminal: stream.isTTY === true,
    get columns() {
      return stream.columns || 80 // 0 on terminals that do not know
    },
    write: (content) => {
      stream.write(content)
    },
    drain: async () => {
      if (stream.writableNeedDrain) await once(stream, 'drain', { signal: stop.signal })
    },
    flush: async () => {
      await new Promise((resolve) => stream.write('', resolve))
      await setImmediate() // an error is told after the write that failed
    },
  }
}

/** A user id need not have a name. */
function userName(): string | undefined {
  try {
    return userInfo().username
  } catch {
    return undefined
  }
}
