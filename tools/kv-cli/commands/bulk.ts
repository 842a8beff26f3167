import { once } from 'node:events'
import { createWriteStream, statSync } from 'node:fs'
import type { Command } from 'commander'
import { IMPORTS_KEYSPACE, runImport } from '../bulk/import-run.js'
import { importLevelDb } from '../bulk/level-import.js'
import { Progress } from '../bulk/progress.js'
import { formatOf, sourceOf } from '../bulk/source.js'
import { command, countOption, withBounds, withJson, withKeyspace, withNotation, withSync } from '../command.js'
import { Failure, usage } from '../failure.js'
import { formatField, jsonField, type NotationOptions, notationOf } from '../notation.js'
import { type BoundOptions, rangeOf } from '../range.js'
import { type Place, type PlaceOptions, placeIn, reading, readingIn, writing } from '../store.js'
import { out, remark, stopReason, stopSignal } from '../terminal.js'
import { showCount } from '../units.js'

interface BulkOptions extends PlaceOptions, NotationOptions, BoundOptions {
  readonly format?: string
  readonly batch: number
  readonly sync?: boolean
  readonly restart?: boolean
  readonly replace?: boolean
  readonly json?: boolean
  readonly all?: boolean
}

/** Entries between two looks at whether the sink has room: each look is a promise. */
const SLICE_ENTRIES = 256

/** Many entries at once, in and out. */
export function commands(): Command[] {
  return [importing(), exporting()]
}

function importing(): Command {
  const made = command(
    'import <file>',
    "bring in the entries of a file, of standard input ('-') or of a LevelDB directory; one that was interrupted goes on where it was",
    'kv-cli import users.ndjson',
    'kv-cli export | kv-cli import - --db ./copy',
    'kv-cli import ./old-leveldb --db ./store',
  )
  made
    .option('--format <format>', 'ndjson or tsv (default: by the name of the file, else ndjson)')
    .addOption(countOption('--batch <n>', 'entries to a commit').default(1000))
    .option('--restart', 'of a file: from the beginning, whatever an earlier run has done')
    .option('--replace', 'of a LevelDB directory: remove what the keyspace holds, and begin anew')
    .addHelpText(
      'after',
      '\nndjson: {"key":"a","value":"1"}, with "keyspace" where it is not the default one. tsv: key, tab, value.',
    )
  return withSync(withJson(withKeyspace(withNotation(made)))).action(
    async (file: string, _: unknown, self: Command) => {
      const options = self.optsWithGlobals<BulkOptions>()
      if (options.batch < 1) throw usage('--batch must be at least 1')
      const isDirectory = checkSource(file, options)
      await writing(options, { create: true }, async (store) => {
        const { keyspace, batch: batchEntries, sync = false, restart = false, replace = false } = options
        const progress = new Progress('entries')
        const resumed = (before: number): void => {
          if (!options.json) remark(`Going on after the ${showCount(before)} entries that an earlier run brought in`)
        }
        const source = isDirectory ? undefined : sourceOf(file, options.format, notationOf(options))
        const outcome = await (source === undefined
          ? importLevelDb(store, file, { keyspace, batchEntries, replace }, progress, resumed)
          : runImport(store, source, { keyspace, batchEntries, sync, restart }, progress, resumed))
        const { seconds } = progress.end()
        const { imported, before, complete } = outcome
        if (options.json) out.json(outcome)
        else
          remark(`${showCount(imported)} entries in ${seconds.toFixed(1)} s, ${showCount(imported / seconds)} a second`)
        if (complete || stopReason() !== 'interrupted') return
        const again =
          source !== undefined && source.identity === undefined ? '' : '; the same command again goes on from here'
        throw new Failure(`Interrupted after ${showCount(before + imported)} entries, all of them stored${again}`)
      })
    },
  )
}

/** Whether it is a directory of LevelDB that is to be imported, or a file. */
function checkSource(path: string, { restart, replace }: BulkOptions): boolean {
  const status = path === '-' ? undefined : statSync(path, { throwIfNoEntry: false })
  if (path !== '-' && status === undefined) throw new Failure(`There is no file ${path}; check the path`)
  const isDirectory = status?.isDirectory() === true
  if (isDirectory && restart) throw usage('--restart is for files; a LevelDB directory is begun anew with --replace')
  if (!isDirectory && replace) throw usage('--replace is for LevelDB directories; a file is begun anew with --restart')
  return isDirectory
}

function exporting(): Command {
  const made = command(
    'export [file]',
    "write entries to a file, or to standard output ('-', the default), as of one moment",
    'kv-cli export backup.ndjson',
    'kv-cli export --prefix user: --format tsv | sort -t "$(printf "\\t")" -k2',
  )
  withBounds(made)
    .option('--format <format>', 'ndjson or tsv (default: by the name of the file, else ndjson)')
    .option('--all', 'every keyspace, each entry with the name of its own')
  return withKeyspace(withNotation(made)).action(async (file: string | undefined, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<BulkOptions>()
    const notation = notationOf(options)
    const format = formatOf(file ?? '-', options.format)
    if (options.all && format === 'tsv') throw usage('--all needs --format ndjson, which has a place for the keyspace')
    const range = rangeOf(options, notation)
    const sink = file === undefined || file === '-' ? out : await FileSink.open(file)
    const progress = new Progress('entries')
    let count = 0
    const write = async (place: Place, keyspace: string): Promise<void> => {
      using scan = place.entries(range)
      for (;;) {
        const slice = await scan.nextMany(SLICE_ENTRIES)
        for (const [key, value] of slice) {
          if (format === 'tsv') sink.line(`${formatField(key, notation)}\t${formatField(value, notation)}`)
          else {
            const named = keyspace === '' ? {} : { keyspace }
            sink.line(JSON.stringify({ ...named, key: jsonField(key, notation), value: jsonField(value, notation) }))
          }
        }
        count += slice.length
        progress.advance(count)
        await sink.room()
        if (slice.length < SLICE_ENTRIES || stopSignal.aborted) return
      }
    }
    if (!options.all) await readingIn(options, (place) => write(place, ''))
    else {
      await reading(options, async (store) => {
        await write(store, '')
        for (const name of store.keyspaceNames()) {
          if (name !== IMPORTS_KEYSPACE) await write(placeIn(store, name), name)
        }
      })
    }
    await sink.flush()
    const { seconds } = progress.end()
    if (sink !== out) remark(`${showCount(count)} entries in ${seconds.toFixed(1)} s`)
  })
}

class FileSink {
  private readonly stream: ReturnType<typeof createWriteStream>
  private hasRoom = true

  private constructor(path: string) {
    this.stream = createWriteStream(path)
  }

  static async open(path: string): Promise<FileSink> {
    const sink = new FileSink(path)
    await once(sink.stream, 'open')
    return sink
  }

  line(text: string): void {
    this.hasRoom = this.stream.write(`${text}\n`)
  }

  async room(): Promise<void> {
    if (!this.hasRoom) await once(this.stream, 'drain')
    this.hasRoom = true
  }

  async flush(): Promise<void> {
    this.stream.end()
    await once(this.stream, 'close')
  }
}
