import type { Command } from 'commander'
import type { Store } from '../store.js'

const SHOWN_KEYS = 20
const KEY_COMMANDS = ['get', 'mget', 'put', 'del']

/** Completes commands, verbs and options, and, where a key is expected, the keys of the store. */
export function completer(store: Store, root: Command): (line: string) => [string[], string] {
  return (line) => {
    const words = line.split(/\s+/)
    const last = words.pop() ?? ''
    const before = words.filter((word) => word !== '' && !word.startsWith('-'))
    const found = candidates(root, store, before, last).filter((word) => word.startsWith(last))
    return [found.map((word) => `${word} `), last]
  }
}

function candidates(root: Command, store: Store, before: readonly string[], last: string): string[] {
  let command = root
  for (const word of before) command = command.commands.find((each) => each.name() === word) ?? command
  if (last.startsWith('-')) return command.options.flatMap(({ long }) => (long ? [long] : []))
  if (command.commands.length > 0) {
    const names = command.commands.map((each) => each.name())
    return command === root ? [...names.filter((name) => name !== 'shell'), 'help', 'exit'] : names
  }
  if (!KEY_COMMANDS.includes(command.name())) return []
  const keys = store.keys({ prefix: Buffer.from(last), limit: SHOWN_KEYS })
  return [...keys].map(String).filter((key) => /^[\w:./@+-]+$/.test(key))
}
