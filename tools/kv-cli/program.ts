import { Command } from 'commander'
import { type Group, groups } from './catalog.js'
import { inheritManners } from './command.js'
import type { Host } from './host.js'

const SUMMARY = 'kv-cli: look into a Siltstone store, work with it, and look after it'

/** The whole program, or, where the command is known, as much of it as that one needs. */
export async function program(argv: readonly string[], host: Host): Promise<Command> {
  const made = inheritManners(new Command('kv-cli'))
    .description(SUMMARY)
    .option('--db <path>', 'the store (default: $KV_DB, or ./data)')
    .option('--read-only', 'refuse to write; reading never takes the lock, with or without it')
    .option('--debug', 'show the stack trace of an error')
    .option('-v, --version', 'print the version')
    .usage('<command> [options]')
    .helpCommand(false)
    .addHelpText(
      'after',
      "\nExample:\n  $ kv-cli put hello world && kv-cli get hello\n\n'kv-cli help <command>' says more, with an example.",
    )
  const wanted = groupOf(argv)
  for (const group of wanted === undefined ? groups : [wanted]) {
    const { commands } = await group.load()
    made.commandsGroup(group.heading)
    for (const each of commands(host)) made.addCommand(each)
  }
  return made
}

function groupOf(argv: readonly string[]): Group | undefined {
  const name = commandName(argv)
  return name === undefined ? undefined : groups.find((group) => group.names.includes(name))
}

/** Whether the first word is a command that there is. */
export function isCommand(argv: readonly string[]): boolean {
  return groupOf(argv) !== undefined
}

/** The first word that is no option and no option's value. */
export function commandName(argv: readonly string[]): string | undefined {
  for (let i = 0; i < argv.length; i++) {
    if (argv[i] === '--db') i++
    else if (!argv[i]!.startsWith('-')) return argv[i]
  }
  return undefined
}
