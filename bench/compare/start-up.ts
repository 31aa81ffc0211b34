import { spawnSync } from 'node:child_process'
import { type Command, ENVIRONMENT } from '../measure.ts'
import type { Tool } from './tools.ts'

/** Seconds that a program takes to start and say one line, by its name; every program in turn. */
export type StartUp = Readonly<Record<string, readonly number[]>>

/** What a program in JavaScript cannot do without. */
export const BARE_NODE = 'node -e 0'

export function runStartUp(tools: readonly Tool[], times: number): StartUp {
  const commands = new Map<string, Command>([[BARE_NODE, ['node', '-e', '0']]])
  const known = new Set<string>()
  for (const { name, version } of tools) {
    if (!known.has(version.join(' '))) commands.set(name, version)
    known.add(version.join(' '))
  }
  const seconds: Record<string, number[]> = Object.fromEntries([...commands.keys()].map((name) => [name, []]))
  for (let time = -1; time < times; time++) {
    for (const [name, [program, ...args]] of commands) {
      const started = performance.now()
      spawnSync(program!, args, { env: ENVIRONMENT, stdio: 'ignore' })
      if (time >= 0) seconds[name]!.push((performance.now() - started) / 1000) // the first is to warm up
    }
  }
  return seconds
}
