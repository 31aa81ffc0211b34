import { resolve } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type ByteString, byteStringOf } from '../base/bytes.ts'
import { ChainkeepError } from '../base/errors.ts'
import type { Environment } from '../repository/environment.ts'
import type { Repository } from '../repository/repository.ts'
import { EXIT_CODE_HELP } from './exit-codes.ts'
import { describeCommand } from './help-text.ts'
import type { Io } from './io.ts'
import { nearest } from './nearest.ts'
import type { Output } from './output.ts'

/** What a command works with. */
export interface Context {
  readonly io: Io
  readonly output: Output
  readonly environment: Environment
  /** Where --repo or the environment say that the repository is, absolute. Throws USAGE if neither does. */
  repositoryPath(): string
  /** Opens it; the caller closes it. */
  openRepository(): Promise<Repository>
  /** The same, and shows others that it is being read until it is closed. */
  openToRead(): Promise<Repository>
}

/** One verb of the command line, as its module in commands/ defines it. */
export interface Verb<Options = unknown> {
  /** As `describeCommand` lays it out. */
  readonly description: string
  /** Name as `<id>`, `[path...]`, and what it means. */
  readonly arguments?: readonly (readonly [name: string, description: string])[]
  readonly options?: readonly Option[]
  readonly examples: readonly (readonly [commandLine: string, meaning: string])[]
  /** Those besides 0, 1, 2 and 130 that its help explains. */
  readonly exitCodes?: readonly number[]
  /** What its interruption leaves behind, for people. */
  readonly interrupted?: string
  /** Returns the exit code. `options` holds what commander makes of `options`; `args` is flat. */
  run(context: Context, options: Options, args: readonly string[]): Promise<number>
}

/** Gives up the type of the options: they come from commander, which knows none. */
export function defineVerb<Options>(verb: Verb<Options>): Verb {
  return { ...verb, run: (context, options, args) => verb.run(context, options as Options, args) }
}

/** Declares a verb to commander. */
export function declareVerb(command: Command, verb: Verb): void {
  for (const [name, description] of verb.arguments ?? []) command.argument(name, description)
  for (const option of verb.options ?? []) command.addOption(option)
  command.optionsGroup('Global options:') // of those that are declared from here on
  const examples = verb.examples.map(([line, meaning]) => `  # ${meaning}\n  ${line}`)
  const codes = EXIT_CODE_HELP.filter(([code]) => verb.exitCodes?.includes(code))
  const exitCodes = codes.map(([code, meaning]) => `\n  ${code}  ${meaning}`)
  const exitCodeHelp = codes.length > 0 ? `\n\nExit codes (besides 0, 1, 2 and 130):${exitCodes.join('')}` : ''
  describeCommand(command, verb.description, `Examples:\n${examples.join('\n\n')}${exitCodeHelp}`)
}

export interface GlobalOptions {
  readonly repo?: string
  readonly json?: boolean
  readonly quiet?: boolean
  readonly verbose?: number
  /** False with --no-color. */
  readonly color: boolean
  readonly cacheDir?: string
}

/** Declared for the program and for every verb, so that they may stand before or after it. */
export function globalOptions(): Option[] {
  return [
    new Option('-r, --repo <dir>', "the repository's folder (or set CHAINKEEP_REPOSITORY)"),
    new Option('--json', 'write JSON, one object a line, for programs'),
    new Option('-q, --quiet', 'write results and errors only'),
    new Option('-v, --verbose', 'write more; twice for every file, and for the cause of errors').argParser(
      (_value: string, count: number | undefined) => (count ?? 0) + 1,
    ),
    new Option('--no-color', 'write without colours (or set NO_COLOR)'),
    new Option('--cache-dir <dir>', 'where to remember what speeds up the next run (or set CHAINKEEP_CACHE_DIR)'),
  ]
}

export function mergeGlobals(before: GlobalOptions, after: GlobalOptions): GlobalOptions {
  return {
    repo: after.repo ?? before.repo,
    json: after.json || before.json,
    quiet: after.quiet || before.quiet,
    verbose: (before.verbose ?? 0) + (after.verbose ?? 0),
    color: after.color && before.color,
    cacheDir: after.cacheDir ?? before.cacheDir,
  }
}

/** An option whose value is one of `choices`. */
export function choiceOption(flags: string, description: string, choices: readonly string[]): Option {
  return parsedOption(flags, `${description} (${choices.join(', ')})`, (text) => requireChoice(text, choices))
}

/** Throws commander's error for a wrong argument, with the nearest right one. */
export function requireChoice(text: string, choices: readonly string[]): string {
  if (choices.includes(text)) return text
  const near = nearest(text, choices)
  throw new InvalidArgumentError(near ? `Did you mean ${near}?` : `It is one of ${choices.join(', ')}.`)
}

/** An option whose value `parse` understands, or answers `undefined`; `expected` says then what would be right. */
export function parsedOption<T>(
  flags: string,
  description: string,
  parse: (text: string) => T | undefined,
  expected = '',
): Option {
  return new Option(flags, description).argParser((text: string) => {
    const value = parse(text)
    if (value === undefined) throw new InvalidArgumentError(expected)
    return value
  })
}

/** What a command line fails with that lacks something: which, and what it would say. Without a verb, all of them need it. */
export function missing(what: string, meaning: string, verb?: string): ChainkeepError {
  const help = verb === undefined ? 'chainkeep help' : `chainkeep help ${verb}`
  return new ChainkeepError('USAGE', `${what} is missing: ${meaning} ("${help}" tells more)`)
}

/** Worker threads, as the library's `threads`. */
export function threadsOption(): Option {
  return parsedOption(
    '--threads <n>',
    'work on so many cores at once, such as 1 beside a running node (default: all of them)',
    (text) => (/^\d{1,2}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_THREADS ? Number(text) : undefined),
    `It is a number from 1 to ${MAX_THREADS}.`,
  )
}

/** More than any repository's disk feeds. */
const MAX_THREADS = 64

/** An option that may be given several times; its value is an array. */
export function repeatableOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text: string, earlier: string[] | undefined) => [
    ...(earlier ?? []),
    text,
  ])
}

/** A path of the command line, absolute. Throws USAGE for the empty one, which would be the current directory. */
export function resolvePath(io: Pick<Io, 'cwd'>, path: string): string {
  if (path === '') throw new ChainkeepError('USAGE', 'an empty path names nothing')
  return resolve(io.cwd, path)
}

/** The same, as bytes. */
export function absolutePath(io: Pick<Io, 'cwd'>, path: string): ByteString {
  return byteStringOf(resolvePath(io, path))
}
