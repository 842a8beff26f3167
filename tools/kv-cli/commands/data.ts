import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import type { BatchOperation } from '../../../src/store/batch.js'
import { command, durationOption, withJson, withKeyspace, withNotation, withSync } from '../command.js'
import { EXIT_NO, Failure, usage } from '../failure.js'
import {
  formatField,
  jsonField,
  type Notation,
  type NotationOptions,
  notationOf,
  parseArgument,
  parseField,
  parseJsonField,
} from '../notation.js'
import { type PlaceOptions, placeIn, readingIn, sharedStore, writing } from '../store.js'
import { inputLines, out, readInput } from '../terminal.js'
import { parseDuration } from '../units.js'

interface DataOptions extends PlaceOptions, NotationOptions {
  readonly json?: boolean
  readonly sync?: boolean
  readonly ttl?: number
}

/** Single entries: by their keys, which are known. */
export function commands(): Command[] {
  return [get(), mget(), put(), del(), batch()]
}

function get(): Command {
  const made = command('get <key>', 'print the value of a key; exits 1 where there is none', 'kv-cli get user:1')
  return withJson(withKeyspace(withNotation(made))).action(async (text: string, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<DataOptions>()
    const notation = notationOf(options)
    const key = parseArgument(text, notation, 'The key')
    const value = await readingIn(options, (place) => place.get(key))
    if (options.json) {
      const shown = value === undefined ? null : jsonField(value, notation)
      out.json({ key: jsonField(key, notation), found: value !== undefined, value: shown })
    }
    if (value === undefined) throw new Failure(`There is no key '${text}'`, EXIT_NO)
    if (options.json) return
    // To a pipe or a file go the bytes and nothing else, so that they can come back with `put key -`.
    if (notation === 'text') out.write(value)
    else out.line(formatField(value, notation))
    if (notation === 'text' && (process.stdout.isTTY || sharedStore() !== undefined)) out.endLine()
  })
}

function mget(): Command {
  const made = command(
    'mget <keys...>',
    "print keys and their values as of one moment; '-' reads keys from standard input; exits 1 if one is missing",
    'kv-cli mget user:1 user:2',
    'kv-cli scan --prefix user: --keys-only | kv-cli mget -',
  )
  return withJson(withKeyspace(withNotation(made))).action(async (texts: string[], _: unknown, self: Command) => {
    const options = self.optsWithGlobals<DataOptions>()
    const notation = notationOf(options)
    const keys = await keysOf(texts, notation)
    const values = await readingIn(options, (place) => place.getMany(keys))
    const missing: Buffer[] = []
    for (const [i, value] of values.entries()) {
      const key = keys[i]!
      if (value === undefined) missing.push(key)
      if (options.json) {
        const shown = value === undefined ? null : jsonField(value, notation)
        out.json({ key: jsonField(key, notation), found: value !== undefined, value: shown })
      } else if (value !== undefined) {
        out.line(`${formatField(key, notation)}\t${formatField(value, notation)}`)
      }
      await out.room()
    }
    if (missing.length === 0) return
    const named = missing.slice(0, 3).map((key) => `'${formatField(key, notation)}'`)
    const more = missing.length > named.length ? ` and ${missing.length - named.length} more` : ''
    throw new Failure(`There is no key ${named.join(', ')}${more}`)
  })
}

function put(): Command {
  const made = command(
    'put <key> <value>',
    "set a key; the value '-' is read from standard input, byte for byte",
    'kv-cli put user:1 ada',
    'kv-cli put logo - < package.json',
    'kv-cli put session:1 ada --ttl 30m',
  )
  made.addOption(durationOption('--ttl <time>', 'gone after this time: 30s, 5m, 2h, 1d'))
  return withSync(withKeyspace(withNotation(made))).action(
    async (keyText: string, valueText: string, _: unknown, self: Command) => {
      const options = self.optsWithGlobals<DataOptions>()
      const notation = notationOf(options)
      const key = parseArgument(keyText, notation, 'The key')
      const value = valueText === '-' ? await readInput() : parseArgument(valueText, notation, 'The value')
      const { sync = false, ttl } = options
      await writing(options, { create: true }, (store) =>
        placeIn(store, options.keyspace).put(key, value, { sync, ...(ttl === undefined ? {} : { ttl }) }),
      )
    },
  )
}

function del(): Command {
  const made = command(
    'del <keys...>',
    "remove keys, all in one commit; '-' reads them from standard input",
    'kv-cli del user:1 user:2',
  )
  return withSync(withKeyspace(withNotation(made))).action(async (texts: string[], _: unknown, self: Command) => {
    const options = self.optsWithGlobals<DataOptions>()
    const keys = await keysOf(texts, notationOf(options))
    await writing(options, {}, (store) => {
      const operations = keys.map((key) => ({ type: 'del' as const, key }))
      return placeIn(store, options.keyspace).batch(operations, { sync: options.sync ?? false })
    })
  })
}

function batch(): Command {
  const made = command(
    'batch [file]',
    "commit all operations of a file or of standard input ('-', the default) as one: all of them or none",
    `echo '{"type":"put","key":"a","value":"1"}' | kv-cli batch`,
    `printf 'put\\ta\\t1\\ndel\\tb\\n' | kv-cli batch -`,
  )
  made.addHelpText(
    'after',
    '\nA line is {"type":"put"|"del","key":…,"value":…,"keyspace":…,"ttl":"30s"}, or put, key and value separated by tabs.',
  )
  return withSync(withJson(withKeyspace(withNotation(made)))).action(
    async (file: string | undefined, _: unknown, self: Command) => {
      const options = self.optsWithGlobals<DataOptions>()
      const lines = file === undefined || file === '-' ? inputLines() : readFileSync(file, 'utf8').split('\n')
      const parsed: ReturnType<typeof parseOperation>[] = []
      let lineNumber = 0
      for await (const line of lines) {
        lineNumber++
        if (line.trim() !== '') parsed.push(parseOperation(line, notationOf(options), lineNumber))
      }
      await writing(options, { create: true }, (store) => {
        const operations = parsed.map(({ keyspace, ...operation }) => {
          const place = keyspace ?? options.keyspace
          return place === undefined ? operation : { ...operation, keyspace: placeIn(store, place) }
        })
        return store.batch(operations as BatchOperation<Buffer, Buffer>[], { sync: options.sync ?? false })
      })
      if (options.json) out.json({ operations: parsed.length })
      else if (process.stdout.isTTY) out.line(`${parsed.length} operations committed`)
    },
  )
}

interface ParsedOperation {
  type: 'put' | 'del'
  key: Buffer
  value?: Buffer
  ttl?: number
  keyspace?: string
}

function parseOperation(line: string, notation: Notation, lineNumber: number): ParsedOperation {
  const where = `line ${lineNumber}`
  if (!line.trimStart().startsWith('{')) return parseFields(line.split('\t'), notation, where)
  const { type, key, value, keyspace, ttl } = parseJsonLine(line, where)
  if (type !== 'put' && type !== 'del')
    throw usage(`On ${where} the type must be put or del, not ${JSON.stringify(type)}`)
  return {
    type,
    key: parseJsonField(key, notation, `The key on ${where}`),
    ...(type === 'put' ? { value: parseJsonField(value, notation, `The value on ${where}`) } : {}),
    ...(ttl === undefined ? {} : { ttl: parseDuration(String(ttl)) }),
    ...(keyspace === undefined ? {} : { keyspace: String(keyspace) }),
  }
}

function parseFields([type, key, value, more]: string[], notation: Notation, where: string): ParsedOperation {
  const bytes = (field: string): Buffer => parseField(field, notation, `What stands on ${where}`)
  if (type === 'put' && key !== undefined && value !== undefined && more === undefined) {
    return { type, key: bytes(key), value: bytes(value) }
  }
  if (type === 'del' && key !== undefined && value === undefined) return { type, key: bytes(key) }
  throw usage(`What stands on ${where} is no operation; write put, key and value, or del and key, separated by tabs`)
}

export function parseJsonLine(line: string, where: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // What it is instead is said below.
  }
  throw usage(`What stands on ${where} is no JSON object: ${line.slice(0, 60)}`)
}

/** Keys as arguments, or, for '-', from standard input, one a line. */
async function keysOf(texts: readonly string[], notation: Notation): Promise<Buffer[]> {
  const keys: Buffer[] = []
  for (const text of texts) {
    if (text !== '-') {
      keys.push(parseArgument(text, notation, 'A key'))
      continue
    }
    for await (const line of inputLines()) keys.push(parseField(line, notation, 'A key'))
  }
  return keys
}
