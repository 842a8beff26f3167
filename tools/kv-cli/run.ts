import { CommanderError } from 'commander'
import { EXIT_FINE, EXIT_INTERRUPTED, EXIT_NO, EXIT_USAGE, Failure } from './failure.js'
import type { Host } from './host.js'
import { commandName, isCommand, program } from './program.js'
import { out, stopReason } from './terminal.js'
import { cliWords } from './wording.js'

const host: Host = { whole: () => program([], host), run }

/** Runs one command line to its end and returns the exit code. What went wrong is said here and nowhere else. */
export async function run(given: readonly string[]): Promise<number> {
  const argv = withHelpAsOption(given)
  try {
    const built = await program(argv, host)
    if (argv.length === 0) {
      out.write(Buffer.from(built.helpInformation()))
      return EXIT_FINE
    }
    if (commandName(argv) === undefined && argv.some((word) => word === '-v' || word === '--version')) {
      const { packageVersion } = await import('./package-version.js')
      out.line(packageVersion())
      return EXIT_FINE
    }
    await built.parseAsync(argv, { from: 'user' })
    return stopReason() === 'interrupted' ? EXIT_INTERRUPTED : EXIT_FINE
  } catch (error) {
    if (stopReason() === 'pipe') return EXIT_FINE
    return complain(error, argv)
  } finally {
    await out.flush()
  }
}

/** 'help get' is 'get --help', and 'help' alone what is shown where nothing was typed. */
function withHelpAsOption(argv: readonly string[]): readonly string[] {
  if (commandName(argv) !== 'help') return argv
  const at = argv.indexOf('help')
  const rest = argv.toSpliced(at, 1)
  if (commandName(rest) === undefined) return []
  // What there is not is refused, with what may have been meant.
  return isCommand(rest) ? [...rest, '--help'] : rest
}

function complain(error: unknown, argv: readonly string[]): number {
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT_FINE
  const { sentence, exitCode } = verdict(error, argv)
  process.stderr.write(`kv-cli: ${sentence}\n`)
  if (argv.includes('--debug') && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  return stopReason() === 'interrupted' ? EXIT_INTERRUPTED : exitCode
}

function verdict(error: unknown, argv: readonly string[]): { sentence: string; exitCode: number } {
  if (error instanceof Failure) return { sentence: error.message, exitCode: error.exitCode }
  if (error instanceof CommanderError) return { sentence: misused(error, argv), exitCode: EXIT_USAGE }
  const { code, message } = error as { code?: unknown; message?: unknown }
  if (code === 'SILT_INVALID_ARGUMENT') return { sentence: cliWords(String(message)), exitCode: EXIT_USAGE }
  if (code === 'ENOENT') {
    return { sentence: `There is no file ${(error as { path?: string }).path}; check the path`, exitCode: EXIT_NO }
  }
  if (typeof code === 'string') return { sentence: cliWords(String(message)), exitCode: EXIT_NO }
  return {
    sentence: `${String(message ?? error)}; this is a bug of kv-cli, --debug shows where`,
    exitCode: EXIT_NO,
  }
}

/** Commander's words as one sentence, with the way on. */
function misused(error: CommanderError, argv: readonly string[]): string {
  const name = commandName(argv)
  if (error.code === 'commander.help') return `${name} needs one more word; see 'kv-cli ${name} --help'`
  if (error.code === 'commander.invalidArgument') return error.message.replace(/^.* is invalid\. /, '')
  const [what, suggestion] = error.message.replace(/^error: /, '').split('\n')
  const meant = /Did you mean (?:one of )?(.*?)\?\)?$/.exec(suggestion ?? '')?.[1]
  const known = error.code === 'commander.unknownCommand' || name === undefined ? '' : `${name} `
  const help = meant === undefined ? `see 'kv-cli ${known}--help'` : `did you mean '${meant}'?`
  const sentence = what!.replace(/\.$/, '')
  return `${sentence}; ${help}`
}
