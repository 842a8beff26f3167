import type { Command } from 'commander'
import type { Commit } from '../../../src/store/changes/change.js'
import { command, countOption, noun, withJson, withSync } from '../command.js'
import { Failure, usage } from '../failure.js'
import { readingMessages, refreshes, withMessages } from '../message-store.js'
import { formatField, jsonField } from '../notation.js'
import { type PlaceOptions, reading } from '../store.js'
import { inputLines, out, readInput, stopSignal } from '../terminal.js'

interface LogOptions extends PlaceOptions {
  readonly json?: boolean
  readonly sync?: boolean
  readonly lines?: boolean
  readonly from?: string
  readonly limit?: number
  readonly follow?: boolean
}

interface TailOptions extends PlaceOptions {
  readonly json?: boolean
  readonly since?: string
  readonly follow: boolean
  readonly limit?: number
}

/** The commit log of the store, and the logs that users append to. */
export function commands(): Command[] {
  return [noun('log', 'append-only logs, and the commit log of the store', [append(), read(), tail()])]
}

function append(): Command {
  const made = command(
    'append <log> <body>',
    "add an entry to a log and print its offset; the body '-' is read from standard input",
    'kv-cli log append audit "ada logged in"',
    "printf 'one\\ntwo\\n' | kv-cli log append audit - --lines",
  )
  made.option('--lines', "with '-': every line is an entry, all of them in one commit")
  return withSync(withJson(made)).action(async (name: string, text: string, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<LogOptions>()
    if (options.lines && text !== '-') throw usage("--lines is about standard input; write '-' as the body")
    const bodies: (Uint8Array | string)[] = []
    if (options.lines) for await (const line of inputLines()) bodies.push(line)
    else bodies.push(text === '-' ? await readInput() : text)
    const { sync = false } = options
    const offsets = await withMessages(options, true, (store) => store.log(name).appendMany(bodies, { sync }))
    for (const offset of offsets) {
      if (options.json) out.json({ offset })
      else out.line(String(offset))
    }
  })
}

function read(): Command {
  const made = command(
    'read <log>',
    'print the entries of a log: offset, a tab, the entry; it takes no lock',
    'kv-cli log read audit',
    'kv-cli log read audit --from 2026-01-01 --limit 10 --json',
    'kv-cli log read audit --from latest --follow',
  )
  made
    .option('--from <place>', 'earliest, latest, an offset, or a date', 'earliest')
    .addOption(countOption('--limit <n>', 'end after this many entries'))
    .option('--follow', 'go on with what another process appends, until Ctrl-C')
  return withJson(made).action(async (name: string, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<LogOptions>()
    const { json, limit = Number.POSITIVE_INFINITY } = options
    let from: Place = placeOf(options.from ?? 'earliest')
    await readingMessages(options, async (store) => {
      // A log is there from its first entry on; until then its name may just be mistyped.
      if (!options.follow && store.log(name).stats().next === 0) {
        throw new Failure(`There is no log '${name}'; 'kv-cli log append ${name} …' makes one`)
      }
      if (from === 'latest') from = store.log(name).stats().next
      let left = limit
      for await (const _ of options.follow ? refreshes(store) : [store]) {
        for await (const { offset, body, time } of store.log(name).read({ from, limit: left })) {
          if (json) out.json({ offset, time, body: jsonField(body, 'text') })
          else out.line(`${offset}\t${formatField(body, 'text')}`)
          await out.room()
          from = offset + 1
          if (--left === 0 || stopSignal.aborted) return
        }
        await out.flush()
      }
    })
  })
}

type Place = number | { time: number } | 'earliest' | 'latest'

function placeOf(text: string): Place {
  if (text === 'earliest' || text === 'latest') return text
  if (/^\d+$/.test(text)) return Number(text)
  const time = Date.parse(text)
  if (!Number.isNaN(time)) return { time }
  throw usage(`'${text}' is no place; write earliest, latest, an offset, or a date such as 2026-01-31T12:00`)
}

function tail(): Command {
  const made = command(
    'tail',
    'print every commit from the oldest that is kept, and go on with what another process commits, until Ctrl-C',
    'kv-cli log tail --no-follow',
    'kv-cli log tail --since 4096 --json',
  )
  made
    .option(
      '--since <position>',
      'after this position, which each commit names (default: from the oldest that is kept)',
    )
    .option('--no-follow', 'end with the newest')
    .addOption(countOption('--limit <n>', 'end after this many commits'))
  return withJson(made).action(async (_: unknown, self: Command) => {
    const options = self.optsWithGlobals<TailOptions>()
    const { follow, limit = Number.POSITIVE_INFINITY, json } = options
    const since = sinceOf(options.since)
    await reading(options, async (store) => {
      const following = new AbortController()
      const end = (): void => following.abort('ended')
      stopSignal.addEventListener('abort', end)
      const failed = follow
        ? store.follow({ signal: following.signal }).catch((error: unknown) => {
            if (!following.signal.aborted) following.abort(error)
          })
        : undefined
      try {
        let seen = 0
        for await (const commit of store.changes<Buffer, Buffer>({ since, follow, signal: following.signal })) {
          tell(commit, json ?? false)
          if (follow) await out.flush()
          else await out.room()
          if (++seen >= limit) break
        }
      } catch (error) {
        if (following.signal.reason !== 'ended') throw following.signal.reason ?? error
      } finally {
        end()
        stopSignal.removeEventListener('abort', end)
        await failed
      }
    })
  })
}

function sinceOf(text: string | undefined): number | 'oldest' {
  if (text === undefined || text === 'oldest') return 'oldest'
  if (/^\d+$/.test(text)) return Number(text)
  throw usage(`'${text}' is no position; write the number that a commit names, or oldest`)
}

function tell({ position, operations }: Commit<Buffer, Buffer>, json: boolean): void {
  if (json) {
    const shown = operations.map((operation) => {
      const { type, keyspace } = operation
      if (operation.type === 'clear') {
        const { start, end } = operation.range
        return { type, keyspace, gte: jsonField(start, 'text'), lt: end === undefined ? null : jsonField(end, 'text') }
      }
      const key = jsonField(operation.key, 'text')
      return operation.type === 'put'
        ? { type, keyspace, key, value: jsonField(operation.value, 'text') }
        : { type, keyspace, key }
    })
    out.json({ position, operations: shown })
    return
  }
  for (const operation of operations) {
    const cells = [String(position), operation.type, operation.keyspace]
    if (operation.type === 'clear') {
      const { start, end } = operation.range
      cells.push(`${formatField(start, 'text')}..${end === undefined ? '' : formatField(end, 'text')}`)
    } else cells.push(formatField(operation.key, 'text'))
    if (operation.type === 'put') cells.push(formatField(operation.value, 'text'))
    out.line(cells.join('\t'))
  }
}
