import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from 'commander'
import type { StoreStats } from '../../../src/store/stats.js'
import { ALL_KEYS } from '../../../src/tree/key-range.js'
import { command, countOption, durationOption, noun, withBounds, withJson, withNotation, withYes } from '../command.js'
import { Failure, usage } from '../failure.js'
import { type JsonBytes, jsonField, type NotationOptions, notationOf } from '../notation.js'
import { type BoundOptions, rangeOf } from '../range.js'
import { type PlaceOptions, pathOf, placeIn, reading, sharedStore, writing } from '../store.js'
import { out, stopSignal } from '../terminal.js'
import { plural, showBytes, showCount } from '../units.js'

interface CareOptions extends PlaceOptions, NotationOptions, BoundOptions {
  readonly json?: boolean
  readonly yes?: boolean
  readonly watch?: boolean
  readonly every: number
  readonly svg?: string
  readonly minor?: boolean
  readonly link?: boolean
  readonly keep?: number
}

/** What keeps a store well, and what ends it. */
export function commands(): Command[] {
  return [
    stats(),
    keyspaces(),
    levels(),
    approximateSize(),
    compact(),
    flush(),
    checkpoint(),
    backup(),
    restore(),
    destroying(),
  ]
}

function stats(): Command {
  const made = command(
    'stats',
    'figures of the store: levels, log, amplification',
    'kv-cli stats',
    'kv-cli stats --watch',
  )
  made
    .option('--watch', 'again and again, until Ctrl-C; beside a process that writes')
    .addOption(durationOption('--every <time>', 'with --watch').default(1000, '1s'))
  return withJson(made).action(async (_: unknown, self: Command) => {
    const options = self.optsWithGlobals<CareOptions>()
    await reading(options, async (store) => {
      for (;;) {
        const figures = store.stats()
        if (options.json) out.json(jsonStats(figures))
        else {
          if (options.watch && process.stdout.isTTY) out.write(Buffer.from('\x1b[H\x1b[2J'))
          for (const line of statLines(figures, pathOf(options))) out.line(line)
        }
        await out.flush()
        if (!options.watch) return
        await delay(options.every, undefined, { signal: stopSignal }).catch(() => {})
        if (stopSignal.aborted) return
        await store.refresh()
      }
    })
  })
}

function jsonStats({ backgroundError, ...figures }: StoreStats): object {
  return { time: Date.now(), ...figures, backgroundError: backgroundError?.message ?? null }
}

function statLines(figures: StoreStats, path: string): string[] {
  const { levels, log, amplification, keyspaces, files, bytes } = figures
  const lines = [`${path}: ${plural(files, 'table')}, ${showBytes(bytes)}`]
  for (const { level, tables, bytes: levelBytes, rawBytes, entries, tombstones } of levels) {
    if (tables === 0) continue
    const cells = [
      `level ${level}`,
      plural(tables, 'table').padStart(11),
      showBytes(levelBytes).padStart(10),
      `${showBytes(rawBytes)} raw`.padStart(14),
      `${showCount(entries)} entries`.padStart(18),
      plural(tombstones, 'tombstone').padStart(17),
    ]
    // A blank between cells, so that words stay apart where a number is wider than its column.
    lines.push(`  ${cells.join(' ')}`)
  }
  lines.push(
    `  log      ${plural(log.segments, 'segment')} to flush, position ${log.position}, kept from ${log.oldestPosition}`,
    `  a read looks at up to ${showCount(amplification.read)} places; tables take ${amplification.space.toFixed(2)} times their last level`,
  )
  const named = keyspaces.filter(({ name }) => name !== '' && !name.startsWith('\0')).map(({ name }) => name)
  if (named.length > 0) lines.push(`  keyspaces: ${named.join(', ')}`)
  return lines
}

/** Below this many bytes keys are counted; above, what tables say of themselves is near enough. */
const COUNTED_BYTES = 1 << 20

function keyspaces(): Command {
  const made = command(
    'keyspaces',
    'the keyspaces of the store, with about how many keys and bytes they have',
    'kv-cli keyspaces',
  )
  return withJson(made).action(async (_: unknown, self: Command) => {
    const options = self.optsWithGlobals<CareOptions>()
    await reading(options, async (store) => {
      const { keyspaces: inTables } = store.stats()
      for (const name of ['', ...store.keyspaceNames().sort()]) {
        const place = placeIn(store, name === '' ? undefined : name)
        const bytes = await place.state.approximateBytes(ALL_KEYS)
        const isCounted = bytes < COUNTED_BYTES
        const levels = inTables.find((each) => each.name === name)?.levels ?? []
        const keys = isCounted
          ? await place.count()
          : levels.reduce((sum, { entries, tombstones }) => sum + Math.max(0, entries - 2 * tombstones), 0)
        if (options.json) out.json({ keyspace: name, keys, bytes, counted: isCounted })
        else {
          const about = `${isCounted ? '' : 'about '}${plural(keys, 'key')}`
          out.line(
            `${about.padStart(22)} ${showBytes(bytes).padStart(11)}  ${name === '' ? '(the default one)' : name}`,
          )
        }
      }
    })
  })
}

function levels(): Command {
  const made = command(
    'levels',
    'draw the tree: levels, tables, key ranges, tombstones',
    'kv-cli levels',
    'kv-cli levels --svg levels.svg',
  )
  made.option('--svg <file>', 'a picture for a browser instead')
  return withJson(made).action(async (_: unknown, self: Command) => {
    const options = self.optsWithGlobals<CareOptions>()
    const { readState } = await import('../store-state.js')
    const { picturesOf } = await import('../levels/picture.js')
    const state = await readState(pathOf(options))
    const pictures = picturesOf(state).filter(({ keyspace }) => !keyspace.startsWith('\0'))
    if (options.svg !== undefined) {
      const { drawSvg } = await import('../levels/draw-svg.js')
      writeFileSync(options.svg, drawSvg(pictures))
      return
    }
    if (options.json) {
      for (const { keyspace, levels: drawn } of pictures) {
        for (const { level, tables } of drawn) {
          for (const { meta } of tables) out.json({ keyspace, level, ...tableFacts(meta) })
        }
      }
      return
    }
    const { drawText } = await import('../levels/draw-text.js')
    const columns = process.stdout.columns ?? 100
    for (const picture of pictures.filter(isWorthDrawing)) for (const line of drawText(picture, columns)) out.line(line)
  })
}

/** An empty keyspace says nothing; of an empty store that is what there is to say. */
function isWorthDrawing({ keyspace, levels: drawn }: { keyspace: string; levels: readonly unknown[] }): boolean {
  return keyspace === '' || drawn.length > 0
}

function tableFacts(meta: import('../../../src/tree/table-meta.js').TableMeta): Record<string, unknown> {
  const bound = (key: Uint8Array | undefined): JsonBytes | null => (key === undefined ? null : jsonField(key, 'text'))
  return {
    table: meta.number,
    gte: bound(meta.start),
    lt: bound(meta.end),
    bytes: meta.bytes,
    rawBytes: meta.rawBytes,
    entries: meta.entryCount,
    deletions: meta.deletionCount,
    rangeTombstones: meta.rangeTombstoneCount,
  }
}

function approximateSize(): Command {
  const made = command(
    'approx-size',
    'about how many bytes a range takes on disk, without reading it',
    'kv-cli approx-size --prefix user:',
  )
  return withJson(withNotation(withBounds(made))).action(async (_: unknown, self: Command) => {
    const options = self.optsWithGlobals<CareOptions>()
    const bytes = await reading(options, (store) => store.approximateSize(rangeOf(options, notationOf(options))))
    if (options.json) out.json({ bytes: Math.round(bytes) })
    else out.line(process.stdout.isTTY ? showBytes(Math.round(bytes)) : String(Math.round(bytes)))
  })
}

function compact(): Command {
  const made = command('compact', 'merge tables now, and drop what is deleted or expired', 'kv-cli compact')
  made.option('--minor', 'only small young tables, which is quick')
  return withJson(made).action(async (_: unknown, self: Command) => {
    const options = self.optsWithGlobals<CareOptions>()
    await writing(options, {}, async (store) => {
      const before = store.stats().bytes
      await store.compact({ kind: options.minor ? 'minor' : 'major' })
      const { bytes, files } = store.stats()
      if (options.json) out.json({ bytesBefore: before, bytes, tables: files })
      else out.line(`${showBytes(before)} of tables became ${showBytes(bytes)} in ${plural(files, 'table')}`)
    })
  })
}

function flush(): Command {
  const made = command('flush', 'move what is only in the log into tables', 'kv-cli flush')
  return withJson(made).action(async (_: unknown, self: Command) => {
    const options = self.optsWithGlobals<CareOptions>()
    await writing(options, {}, async (store) => {
      await store.flush()
      const { bytes, files } = store.stats()
      if (options.json) out.json({ bytes, tables: files })
      else out.line(`${plural(files, 'table')}, ${showBytes(bytes)}`)
    })
  })
}

function checkpoint(): Command {
  const made = command(
    'checkpoint <directory>',
    'make a copy that opens on its own; hard links where the disk can',
    'kv-cli checkpoint ./before-the-upgrade',
  )
  return withJson(made).action(async (directory: string, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<CareOptions>()
    // It needs the lock: a writer beside it would remove what is being copied.
    await writing(options, {}, async (store) => {
      const report = await store.checkpoint(directory)
      if (options.json) out.json(report)
      else {
        const { tables, bytes, writtenBytes } = report
        out.line(
          `${directory}: ${plural(tables, 'table')}, ${showBytes(bytes)}, of which ${showBytes(writtenBytes)} were written`,
        )
      }
    })
  })
}

function backup(): Command {
  const create = command(
    'create <directory>',
    'add a backup; only tables that no earlier one has are copied',
    'kv-cli backup create ./backups',
  )
  create.option('--link', 'hard links instead of copies: quick, but no help against what happens to the disk')
  withJson(create).action(async (directory: string, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<CareOptions>()
    const { backup: add } = await import('../../../src/store/backup.js')
    await writing(options, {}, async (store) => {
      const report = await add(store, directory, { link: options.link ?? false })
      if (options.json) out.json(report)
      else out.line(`Backup ${report.id}: ${showBytes(report.bytes)}, of which ${showBytes(report.addedBytes)} are new`)
    })
  })
  const list = command('list <directory>', 'the backups of a directory', 'kv-cli backup list ./backups')
  withJson(list).action(async (directory: string, _: unknown, self: Command) => {
    const { listBackups } = await import('../../../src/store/backup.js')
    for (const info of await listBackups(directory)) {
      if (self.optsWithGlobals<CareOptions>().json) out.json(info)
      else out.line(`${info.id}\t${new Date(info.createdAt).toISOString()}\t${showBytes(info.bytes)}`)
    }
  })
  const verify = command(
    'verify <directory> <id>',
    'read every byte of a backup; exits 1 if something is wrong',
    'kv-cli backup verify ./backups 1',
  )
  withJson(verify).action(async (directory: string, id: string, _: unknown, self: Command) => {
    const { verifyBackup } = await import('../../../src/store/backup.js')
    const { tellFindings } = await import('../findings.js')
    tellFindings(await verifyBackup(directory, backupId(id)), self.optsWithGlobals<CareOptions>().json ?? false)
  })
  const prune = command(
    'prune <directory>',
    'remove all but the newest backups',
    'kv-cli backup prune ./backups --keep 3 --yes',
  )
  prune.addOption(countOption('--keep <n>', 'how many stay').makeOptionMandatory())
  withYes(withJson(prune), 'do it').action(async (directory: string, _: unknown, self: Command) => {
    const { keep = 0, yes, json } = self.optsWithGlobals<CareOptions>()
    const { listBackups, pruneBackups } = await import('../../../src/store/backup.js')
    const there = (await listBackups(directory)).length
    const surplus = Math.max(0, there - keep)
    if (!yes) throw usage(`This would remove ${surplus} of ${there} backups in ${directory}; add --yes to do it`)
    const removed = await pruneBackups(directory, { keep })
    if (json) out.json({ removed })
    else out.line(`${plural(removed.length, 'backup')} removed`)
  })
  return noun('backup', 'backups that share what they have in common: create, list, verify, prune', [
    create,
    list,
    verify,
    prune,
  ])
}

function restore(): Command {
  const made = command(
    'restore <directory> [id]',
    'make a store of a backup (default: the newest), at the place of --db',
    'kv-cli restore ./backups --db ./restored',
  )
  return withYes(withJson(made), 'replace the store that is there').action(
    async (directory: string, id: string | undefined, _: unknown, self: Command) => {
      const options = self.optsWithGlobals<CareOptions>()
      if (options.readOnly) throw usage('--read-only was asked for, and this command writes; leave one of them out')
      if (sharedStore() !== undefined) throw usage('Leave the shell to restore a store')
      const target = pathOf(options)
      const { listBackups, restoreBackup } = await import('../../../src/store/backup.js')
      const backups = await listBackups(directory)
      const wanted = id === undefined ? backups.at(-1)?.id : backupId(id)
      if (wanted === undefined || !backups.some((each) => each.id === wanted)) {
        const there = backups.map((each) => each.id).join(', ') || 'none'
        throw new Failure(`There is no backup ${id ?? ''} in ${directory}; there are: ${there}`.replace('  ', ' '))
      }
      if (existsSync(target) && readdirSync(target).length > 0) {
        if (!options.yes) throw usage(`There is something in ${target}; add --yes to replace the store that is there`)
        const { destroy } = await import('../../../src/store/destroy.js')
        await destroy(target)
      }
      await restoreBackup(directory, wanted, target)
      if (options.json) out.json({ id: wanted, path: target })
      else out.line(`Backup ${wanted} is now the store in ${target}`)
    },
  )
}

function backupId(text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  throw usage(`'${text}' is no number of a backup; 'kv-cli backup list' shows them`)
}

function destroying(): Command {
  const made = command(
    'destroy',
    'remove the store, and nothing else that is in its directory',
    'kv-cli destroy --db ./old --yes',
  )
  return withYes(made, 'do it').action(async (_: unknown, self: Command) => {
    const options = self.optsWithGlobals<CareOptions>()
    if (options.readOnly) throw usage('--read-only was asked for, and this command writes; leave one of them out')
    if (sharedStore() !== undefined) throw usage('Leave the shell to destroy a store')
    const path = pathOf(options)
    if (!existsSync(path)) throw new Failure(`There is no store in ${path}: nothing is there; say where with --db`)
    if (!options.yes) throw usage(`This would remove the store in ${path} for good; add --yes to do it`)
    const { destroy } = await import('../../../src/store/destroy.js')
    await destroy(path)
  })
}
