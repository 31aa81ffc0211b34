import { Command, CommanderError } from 'commander'
import { ChainkeepError } from '../base/errors.ts'
import type { Repository } from '../repository/repository.ts'
import { explain } from './advice.ts'
import {
  type Context,
  declareVerb,
  type GlobalOptions,
  globalOptions,
  mergeGlobals,
  missing,
  type Verb,
} from './command.ts'
import { createEnvironment, programVersion, repositoryPathOf } from './environment.ts'
import { EXIT, exitCodeOf } from './exit-codes.ts'
import { describeCommand } from './help-text.ts'
import { BROKEN_PIPE, type Io } from './io.ts'
import { Output } from './output.ts'
import { PROGRAM_HELP } from './program-help.ts'
import { unknownVerb } from './unknown-verb.ts'
import { VERBS } from './verbs.ts'

/** Runs one command line (without node and script). Resolves to the exit code; rejects never. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const session: Session = {
    io,
    exitCode: EXIT.done,
    output: createOutput(io, { json: argv.includes('--json'), color: true }), // until the flags are known
  }
  const stopping = (): void => {
    if (!isLost(io.signal.reason)) session.output.stopping()
  }
  io.signal.addEventListener('abort', stopping, { once: true })
  try {
    await createProgram(session)
      .parseAsync([...argv], { from: 'user' })
      .finally(() => io.stdout.flush())
    if (io.signal.reason instanceof ChainkeepError) throw io.signal.reason
    return session.exitCode
  } catch (error) {
    return reportError(error, session)
  } finally {
    io.signal.removeEventListener('abort', stopping)
    session.output.close()
  }
}

interface Session {
  readonly io: Io
  output: Output
  exitCode: number
  /** The verb, once it is known … */
  command?: Command
  /** … and what its interruption leaves behind. */
  interrupted?: string
}

/** Whether the reason of `Io.signal` is that stdout takes no more. */
const isLost = (reason: unknown): boolean => reason === BROKEN_PIPE || reason instanceof ChainkeepError

function createProgram(session: Session): Command {
  const { io } = session
  const program = new Command('chainkeep')
    .usage('[options] <verb> …')
    .enablePositionalOptions()
    .exitOverride()
    .helpCommand(false)
    .helpOption('-h, --help', 'show this, or the help of a verb')
    .version(`chainkeep ${programVersion()}`, '--version', 'print the version')
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: () => {}, // `reportError` says it
      getOutHelpWidth: () => io.stdout.columns,
      getErrHelpWidth: () => io.stderr.columns,
    })
    .on('command:*', ([name]: string[]) => {
      throw unknownVerb(name!)
    })
  for (const option of globalOptions()) program.addOption(option)
  for (const { name, summary, group, load } of VERBS) {
    const command = program.command(name).summary(summary).helpGroup(group)
    // commander calls this before it parses what follows the verb.
    program.hook('preSubcommand', async (_program, chosen) => {
      if (chosen === command) configureVerb(program, command, await load(), session)
    })
  }
  program
    .command('help [verb...]')
    .summary('show help')
    .helpGroup('Look:')
    .action(async ([verb]: string[]) => {
      // With --help, commander would take any word for a verb.
      if (verb !== undefined && !VERBS.some(({ name }) => name === verb)) throw unknownVerb(verb)
      session.exitCode = await main(verb === undefined ? ['--help'] : [verb, '--help'], io)
    })
  // After the verbs, which would inherit the layout.
  describeCommand(program, DESCRIPTION, PROGRAM_HELP)
  return program
}

const DESCRIPTION = 'Deduplicating backups of blockchain nodes: hourly snapshots that cost next to nothing.'

function configureVerb(program: Command, command: Command, verb: Verb, session: Session): void {
  session.command = command
  declareVerb(command, verb)
  command.helpOption('-h, --help', 'show this')
  for (const option of globalOptions()) command.addOption(option)
  command.action(async () => {
    const globals = mergeGlobals(program.opts(), command.opts())
    session.output = createOutput(session.io, globals)
    session.interrupted = verb.interrupted
    session.exitCode = await verb.run(createContext(session, globals), command.opts(), command.args)
  })
}

function createContext({ io, output }: Session, globals: GlobalOptions): Context {
  const environment = createEnvironment(io, globals.cacheDir, (text) => output.notice(text))
  const repositoryPath = (): string => repositoryPathOf(io, globals.repo)
  async function openRepository(): Promise<Repository> {
    const path = repositoryPath()
    const { openLocalRepository } = await import('../repository/local.ts') // the help need not wait for it
    return await openLocalRepository(path, environment, output.progress)
  }
  async function openToRead(): Promise<Repository> {
    const repository = await openRepository()
    await repository.beginReading()
    return repository
  }
  return { io, output, environment, repositoryPath, openRepository, openToRead }
}

function createOutput(io: Io, { json = false, quiet, verbose = 0, color }: GlobalOptions): Output {
  return new Output(io, { json, verbosity: quiet ? -1 : verbose, color })
}

/** Says in one sentence why the command fails, and answers the exit code. */
function reportError(thrown: unknown, { io, output, command, interrupted }: Session): number {
  const { aborted, reason } = io.signal
  if (reason === BROKEN_PIPE) return EXIT.brokenPipe // nobody is left to be told
  const error = reason instanceof ChainkeepError ? reason : (missingArgument(thrown, command) ?? thrown)
  if (error instanceof CommanderError) return reportUsage(error, output)
  const code = aborted && error !== reason ? EXIT.interrupted : exitCodeOf(error)
  if (code === EXIT.interrupted) output.fatal(`interrupted${interrupted ? `; ${interrupted}` : ''}`, code)
  else if (error instanceof ChainkeepError) output.fatal(explain(error), code)
  else output.fatal(`internal error: ${error instanceof Error ? error.message : String(error)}`, code)
  if (output.verbosity >= 2) output.stack(error)
  return code
}

/** The same in our words, if it is commander's that an argument is missing. */
function missingArgument(thrown: unknown, command: Command | undefined): ChainkeepError | undefined {
  if (!(thrown instanceof CommanderError) || thrown.code !== 'commander.missingArgument' || !command) return undefined
  const argument = command.registeredArguments[command.args.length]!
  return missing(`<${argument.name()}>`, argument.description, command.name())
}

function reportUsage(error: CommanderError, output: Output): number {
  if (error.exitCode === 0) return EXIT.done // the help, or the version, was asked for
  // commander has written the help if there was no verb at all.
  const message = error.message.replace(/^error: /, '').replace(/\n\(Did/, ' (did')
  if (error.code !== 'commander.help') output.fatal(message, EXIT.usage)
  return EXIT.usage
}
