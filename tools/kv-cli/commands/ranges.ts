import type { Command } from 'commander'
import {
  command,
  countOption,
  withBounds,
  withJson,
  withKeyspace,
  withNotation,
  withSync,
  withYes,
} from '../command.js'
import { usage } from '../failure.js'
import { formatField, jsonField, type NotationOptions, notationOf } from '../notation.js'
import { type BoundOptions, rangeOf } from '../range.js'
import { type PlaceOptions, pathOf, placeIn, readingIn, writing } from '../store.js'
import { out, stopSignal } from '../terminal.js'
import { showCount } from '../units.js'

interface RangeCommandOptions extends PlaceOptions, NotationOptions, BoundOptions {
  readonly json?: boolean
  readonly limit?: number
  readonly reverse?: boolean
  readonly keysOnly?: boolean
  readonly valuesOnly?: boolean
  readonly sync?: boolean
  readonly yes?: boolean
  readonly all?: boolean
  readonly key?: string
}

/** Entries by where their keys stand. */
export function commands(): Command[] {
  return [scan(), count(), delrange(), watch()]
}

function scan(): Command {
  const made = command(
    'scan',
    'print entries in key order, a key, a tab and a value to a line',
    'kv-cli scan --prefix user: --limit 10',
    'kv-cli scan --gte a --lt b --reverse --json',
  )
  withBounds(made)
    .addOption(countOption('--limit <n>', 'no more than this many'))
    .option('--reverse', 'last key first')
    .option('--keys-only', 'no values')
    .option('--values-only', 'no keys')
  return withJson(withKeyspace(withNotation(made))).action(async (_: unknown, self: Command) => {
    const options = self.optsWithGlobals<RangeCommandOptions>()
    const { json, limit, reverse = false, keysOnly, valuesOnly } = options
    if (keysOnly && valuesOnly) throw usage('Choose one of --keys-only and --values-only')
    const notation = notationOf(options)
    const range = { ...rangeOf(options, notation), reverse, ...(limit === undefined ? {} : { limit }) }
    await readingIn(options, async (place) => {
      if (keysOnly) {
        for await (const key of place.keys(range)) {
          if (stopSignal.aborted) return
          if (json) out.json({ key: jsonField(key, notation) })
          else out.line(formatField(key, notation))
          await out.room()
        }
        return
      }
      for await (const [key, value] of place.entries(range)) {
        if (stopSignal.aborted) return
        if (json) {
          const shown = jsonField(value, notation)
          out.json(valuesOnly ? { value: shown } : { key: jsonField(key, notation), value: shown })
        } else {
          const shown = formatField(value, notation)
          out.line(valuesOnly ? shown : `${formatField(key, notation)}\t${shown}`)
        }
        await out.room()
      }
    })
  })
}

function count(): Command {
  const made = command(
    'count',
    'count the keys of a range; every one of them is visited',
    'kv-cli count --prefix user:',
  )
  return withJson(withKeyspace(withNotation(withBounds(made)))).action(async (_: unknown, self: Command) => {
    const options = self.optsWithGlobals<RangeCommandOptions>()
    const counted = await readingIn(options, (place) => place.count(rangeOf(options, notationOf(options))))
    if (options.json) out.json({ count: counted })
    else out.line(String(counted))
  })
}

function delrange(): Command {
  const made = command(
    'delrange',
    'remove every key of a range, as one entry in the log however many there are',
    'kv-cli delrange --prefix session: --yes',
  )
  withYes(
    withBounds(made).option('--all', 'every key of the keyspace'),
    'do it; without it only the number of keys is told',
  )
  return withSync(withJson(withKeyspace(withNotation(made)))).action(async (_: unknown, self: Command) => {
    const options = self.optsWithGlobals<RangeCommandOptions>()
    const range = rangeOf(options, notationOf(options))
    if (Object.keys(range).length === 0 && !options.all) {
      throw usage('Say which keys with --prefix, --gt, --gte, --lt or --lte, or --all for every key')
    }
    if (!options.yes) {
      const there = await readingIn(options, (place) => place.count(range))
      throw usage(
        `This would remove ${showCount(there)} ${there === 1 ? 'key' : 'keys'} from ${pathOf(options)}; add --yes to do it`,
      )
    }
    await writing(options, {}, async (store) => {
      const place = placeIn(store, options.keyspace)
      const removed = await place.count(range)
      await place.clear({ ...range, sync: options.sync ?? false })
      if (options.json) out.json({ removed })
      else if (process.stdout.isTTY) out.line(`${showCount(removed)} ${removed === 1 ? 'key' : 'keys'} removed`)
    })
  })
}

function watch(): Command {
  const made = command(
    'watch',
    'print changes as another process commits them, until Ctrl-C',
    'kv-cli watch --prefix config:',
    'kv-cli watch --key leader --limit 1 --json',
  )
  withBounds(made)
    .option('--key <key>', 'this key alone')
    .addOption(countOption('--limit <n>', 'end after this many changes'))
  return withJson(withKeyspace(withNotation(made))).action(async (_: unknown, self: Command) => {
    const options = self.optsWithGlobals<RangeCommandOptions>()
    const { json, limit = Number.POSITIVE_INFINITY } = options
    const notation = notationOf(options)
    const range = rangeOf(options, notation)
    if (options.key !== undefined && Object.keys(range).length > 0) throw usage('Say either --key or bounds, not both')
    const target = options.key === undefined ? range : { key: rangeOf({ prefix: options.key }, notation).prefix! }
    await readingIn(options, async (place, store) => {
      const following = new AbortController()
      const end = (): void => following.abort('ended')
      stopSignal.addEventListener('abort', end)
      const watching = place.watch(target, { signal: following.signal })
      const failed = store.follow({ signal: following.signal }).catch((error: unknown) => {
        if (!following.signal.aborted) following.abort(error)
      })
      try {
        let seen = 0
        for await (const change of watching) {
          const { type, position } = change
          const bytes = (value: Uint8Array): unknown =>
            json ? jsonField(value, notation) : formatField(value, notation)
          const fields: Record<string, unknown> = { type, position }
          if (change.type === 'clear') {
            const { start, end: stop } = change.range
            fields.gte = bytes(start)
            fields.lt = stop === undefined ? undefined : bytes(stop)
          } else {
            fields.key = bytes(change.key as Buffer)
            if (change.type === 'put') fields.value = bytes(change.value as Buffer)
          }
          if (json) out.json(fields)
          else
            out.line(
              [type, fields.key ?? `${fields.gte ?? ''}..${fields.lt ?? ''}`, fields.value ?? ''].join('\t').trimEnd(),
            )
          await out.flush()
          if (++seen >= limit) break
        }
      } catch (error) {
        if (following.signal.reason !== 'ended') throw following.signal.reason ?? error
      } finally {
        end()
        await failed
      }
    })
  })
}
