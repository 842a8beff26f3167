import type { Command } from 'commander'
import type { Commit } from '../../../src/store/changes/change.js'
import { command, countOption, noun, withJson } from '../command.js'
import { usage } from '../failure.js'
import { formatField, jsonField } from '../notation.js'
import { type PlaceOptions, reading } from '../store.js'
import { out, stopSignal } from '../terminal.js'

interface TailOptions extends PlaceOptions {
  readonly json?: boolean
  readonly since?: string
  readonly follow: boolean
  readonly limit?: number
}

/** The commit log, as commits. */
export function commands(): Command[] {
  return [noun('log', 'the commit log of the store', [tail()])]
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
