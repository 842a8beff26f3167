import { existsSync, readdirSync } from 'node:fs'
import { basename } from 'node:path'
import type { Command } from 'commander'
import type { FileNumber } from '../../../src/bytes/units.js'
import type { StoreFileKind } from '../../../src/tree/file-names.js'
import { command, countOption, type GlobalOptions, noun, withJson, withYes } from '../command.js'
import { type DumpedRecord, recordLine } from '../dump/dumped-record.js'
import { Failure, usage } from '../failure.js'
import { pathOf, sharedStore } from '../store.js'
import { out, stopSignal } from '../terminal.js'

interface ForensicsOptions extends GlobalOptions {
  readonly json?: boolean
  readonly limit?: number
  readonly dryRun?: boolean
  readonly yes?: boolean
}

/** What looks into files. None of it takes the lock or writes, but for a repair that was asked for with --yes. */
export function commands(): Command[] {
  return [verify(), repairing(), dump()]
}

function verify(): Command {
  const made = command(
    'verify',
    'read every file and check every checksum and invariant; exits 1 if something is wrong',
    'kv-cli verify --db ./data',
  )
  return withJson(made).action(async (_: unknown, self: Command) => {
    const options = self.optsWithGlobals<ForensicsOptions>()
    const { verifyStore } = await import('../../../src/store/verify.js')
    const { unlockedDisk } = await import('../unlocked-disk.js')
    const { tellFindings } = await import('../findings.js')
    tellFindings(await verifyStore(pathOf(options), { fs: unlockedDisk }), options.json ?? false)
  })
}

function repairing(): Command {
  const made = command(
    'repair',
    'make a damaged store one that opens again; originals are kept in its folder lost',
    'kv-cli repair --dry-run',
    'kv-cli repair --yes',
  )
  made.option(
    '--dry-run',
    'say what would be kept and what lost, and change nothing; exits 1 if something would be lost',
  )
  return withYes(withJson(made), 'do it').action(async (_: unknown, self: Command) => {
    const options = self.optsWithGlobals<ForensicsOptions>()
    const path = pathOf(options)
    const { dryRun = false, json } = options
    if (!dryRun && options.readOnly) throw usage('--read-only was asked for, and this command writes; see --dry-run')
    if (!dryRun && sharedStore() !== undefined) throw usage('Leave the shell to repair a store')
    if (!dryRun && !options.yes) {
      throw usage(`This would rewrite what is damaged in ${path}; see with --dry-run what, then add --yes to do it`)
    }
    const { repair } = await import('../../../src/store/repair.js')
    const { kept, lost } = await repair(path, { dryRun })
    for (const { file, what, movedTo } of kept) {
      if (json) out.json({ file, outcome: 'kept', what, offset: null, movedTo: movedTo ?? null })
      else out.line(`kept  ${file}: ${what}${movedTo === undefined ? '' : ` (original in ${movedTo})`}`)
    }
    for (const { file, reason, offset, movedTo } of lost) {
      if (json) out.json({ file, outcome: 'lost', what: reason, offset: offset ?? null, movedTo: movedTo ?? null })
      else out.line(`lost  ${file}${offset === undefined ? '' : ` at ${offset}`}: ${reason}`)
    }
    if (dryRun && lost.length > 0) {
      throw new Failure(
        `Something of ${lost.length} ${lost.length === 1 ? 'file' : 'files'} cannot be saved; all the rest can, with --yes`,
      )
    }
  })
}

function dump(): Command {
  return noun('dump', 'print what stands in a file: sst, log or manifest', [
    dumping(
      'sst <file>',
      'the properties of a table and every version of every key',
      'table',
      'kv-cli dump sst 000004.sst --json',
    ),
    dumping(
      'log [file]',
      'the commits of a log segment (default: the newest), those behind damage too',
      'segment',
      'kv-cli dump log --limit 20',
    ),
    dumping(
      'manifest [file]',
      'the edits of a manifest (default: the one that counts)',
      'manifest',
      'kv-cli dump manifest',
    ),
  ])
}

function dumping(name: string, summary: string, kind: StoreFileKind, example: string): Command {
  const made = command(name, summary, example)
  made.addOption(countOption('--limit <n>', 'no more than this many records'))
  return withJson(made).action(async (file: string | undefined, _: unknown, self: Command) => {
    const options = self.optsWithGlobals<ForensicsOptions>()
    const { path, number } = await locateFile(file, kind, pathOf(options))
    let left = options.limit ?? Number.POSITIVE_INFINITY
    for await (const record of await dumped(kind, path, number)) {
      if (left-- <= 0 || stopSignal.aborted) return
      if (options.json) out.json(record)
      else out.line(recordLine(record))
      await out.room()
    }
  })
}

async function dumped(kind: StoreFileKind, path: string, number: FileNumber): Promise<AsyncGenerator<DumpedRecord>> {
  if (kind === 'table') return (await import('../dump/dump-table.js')).dumpTable(path, number)
  if (kind === 'segment') return (await import('../dump/dump-log.js')).dumpLog(path, number)
  return (await import('../dump/dump-manifest.js')).dumpManifest(path, number)
}

const EXAMPLES: Partial<Record<StoreFileKind, string>> = {
  table: '000004.sst',
  segment: '000003.log',
  manifest: 'MANIFEST-000001',
}

/** A path, a name in the store's directory, or a number. */
async function locateFile(
  text: string | undefined,
  kind: StoreFileKind,
  directory: string,
): Promise<{ path: string; number: FileNumber }> {
  const { manifestName, parseStoreFile, segmentName, tableName } = await import('../../../src/tree/file-names.js')
  const nameOf = kind === 'table' ? tableName : kind === 'segment' ? segmentName : manifestName
  let named = text
  if (named === undefined) {
    const { currentNumber } = await import('../store-state.js')
    const manifest = await currentNumber(directory)
    named = kind === 'manifest' ? nameOf(manifest) : newestSegment(directory)
  } else if (/^\d+$/.test(named)) named = nameOf(Number(named))
  const file = parseStoreFile(basename(named))
  if (file?.kind !== kind) throw usage(`'${named}' is no name of such a file; it would be like ${EXAMPLES[kind]}`)
  const path = [named, `${directory}/${named}`].find((candidate) => existsSync(candidate))
  if (path === undefined) throw new Failure(`There is no ${named}, neither here nor in ${directory}`)
  return { path, number: file.number }
}

function newestSegment(directory: string): string {
  const segments = readdirSync(directory).filter((name) => /^\d+\.log$/.test(name))
  const newest = segments.sort().at(-1)
  if (newest === undefined) throw new Failure(`There is no segment in ${directory}`)
  return newest
}
