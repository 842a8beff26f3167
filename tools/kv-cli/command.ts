import { Command, InvalidArgumentError, Option } from 'commander'
import { Failure } from './failure.js'
import { parseCount, parseDuration, parseSize } from './units.js'

/** What every command is given by the program around it. */
export interface GlobalOptions {
  readonly db?: string
  readonly readOnly?: boolean
  readonly debug?: boolean
}

/** A command with its help: a sentence, and an example that works. */
export function command(nameAndArguments: string, summary: string, ...examples: string[]): Command {
  const made = new Command()
  const [name, ...args] = nameAndArguments.split(' ')
  made.name(name!).summary(summary).description(summary)
  for (const argument of args) made.argument(argument)
  inheritManners(made)
  const shown = examples.map((example) => `  $ ${example}`).join('\n')
  return examples.length === 0
    ? made
    : made.addHelpText('after', `\nExample${examples.length > 1 ? 's' : ''}:\n${shown}`)
}

/** A command that only has others below it. */
export function noun(name: string, summary: string, verbs: readonly Command[]): Command {
  const made = command(name, summary)
  for (const verb of verbs) made.addCommand(verb)
  return made.helpCommand(false)
}

/** Nothing ends the process or writes by itself: `main` does, once. */
export function inheritManners(made: Command): Command {
  return made
    .exitOverride()
    .configureOutput({ writeErr: () => {}, outputError: () => {} })
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .helpOption('-h, --help', 'show this')
}

/** Makes a parser of option values out of one that throws failures. */
function parsing<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text)
    } catch (error) {
      if (error instanceof Failure) throw new InvalidArgumentError(error.message)
      throw error
    }
  }
}

export function countOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(parsing(parseCount))
}

export function durationOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(parsing(parseDuration))
}

export function sizeOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(parsing(parseSize))
}

export function withJson(made: Command): Command {
  return made.option('--json', 'one JSON object a line')
}

export function withNotation(made: Command): Command {
  return made
    .option('--hex', 'keys and values are hex, in arguments and in the output')
    .option('--base64', 'keys and values are base64')
}

export function withKeyspace(made: Command): Command {
  return made.option('--keyspace <name>', 'a keyspace other than the default one')
}

export function withBounds(made: Command): Command {
  return made
    .option('--prefix <key>', 'keys that begin so')
    .option('--gt <key>', 'keys above')
    .option('--gte <key>', 'keys from')
    .option('--lt <key>', 'keys below')
    .option('--lte <key>', 'keys up to')
}

export function withYes(made: Command, what: string): Command {
  return made.option('--yes', what)
}

export function withSync(made: Command): Command {
  return made.option('--sync', 'return when it would survive a loss of power')
}
