import { SiltstoneError } from '../bytes/errors.js'
import { loadHash } from '../bytes/hash.js'
import type { FileSystem } from '../fs/file-system.js'
import { readWholeFile } from '../fs/whole-file.js'
import { salvageLog } from '../log/log-salvage.js'
import { recoverLog } from '../log/recovery.js'
import { parseStoreFile, tableName } from '../tree/file-names.js'
import { currentManifest, readManifest } from '../tree/manifest-file.js'
import type { ManifestState } from '../tree/manifest-state.js'
import type { TableMeta } from '../tree/table-meta.js'
import type { Engine } from './engine.js'
import { locate } from './open-engine.js'
import { neededFiles, segmentFiles } from './recover.js'
import { levelsOf, misplacedTables } from './verify/level-check.js'
import { checkManifest, compareManifest } from './verify/manifest-check.js'
import { checkSegment } from './verify/segment-check.js'
import { TableCheck } from './verify/table-check.js'
import { Verification, type VerifyReport } from './verify/verification.js'

/**
 * Reads every file of an open store from the disk, and holds what is there to itself, to each other and to what the store has
 * in memory. Reads and writes go on meanwhile: what is checked is the store as it was when this was called.
 */
export async function verifyEngine(engine: Engine): Promise<VerifyReport> {
  const { fs, directory, forest } = engine
  const verification = new Verification(() => engine.checkOpen())
  // Retained, so that no compaction removes a table before it was read.
  const versions = [...forest.trees.values()].map((tree) => tree.version.retain())
  const { segments } = engine
  const { segments: retained } = engine.retained
  try {
    const reading = checkManifest(verification, fs, directory)
    const metas = versions.map((version) => version.metas())
    if (reading !== undefined) compareManifest(verification, directory, reading, forest.lastEdit, metas.flat(2))
    for (const levels of metas) {
      await checkTree(verification, fs, directory, levels, (table) => isReplaced(engine, table))
    }
    for (const segment of segments) {
      const wasFlushed = (): boolean => !engine.segments.includes(segment) || isFlushed(engine, segment)
      await checkSegment(verification, fs, segment, wasFlushed)
    }
    for (const segment of retained) {
      const wasTrimmed = (): boolean => engine.log === undefined || !engine.retained.segments.includes(segment)
      await checkSegment(verification, fs, { ...segment, written: segment.fileBytes }, wasTrimmed)
    }
    checkStrays(verification, engine)
    return verification.report()
  } finally {
    for (const version of versions) version.release()
  }
}

/** How often a store that changes under the verification is looked at before what was found every time is believed. */
const MOST_LOOKS = 5

/**
 * The same for a store that nobody has opened, be it because it cannot be: takes no lock and writes nothing.
 *
 * Somebody may be writing to it, and removes what the manifest named a moment ago: beside a busy writer one look in five finds
 * something missing. So what is found while files come and go is looked for again, and counts only if it is there every time.
 */
export async function verifyStore(path: string, options: { fs?: FileSystem } = {}): Promise<VerifyReport> {
  await loadHash()
  const { fs, directory } = locate(path, options.fs)
  if (!fs.statusSync(directory)?.isDirectory || !fs.listSync(directory).some((name) => parseStoreFile(name))) {
    throw new SiltstoneError('SILT_NOT_FOUND', `There is no store in ${directory}; check the path`)
  }
  let before = traceOf(fs, directory)
  let report = await look(fs, directory)
  for (let looks = 1; !report.ok && looks < MOST_LOOKS; looks++) {
    const now = traceOf(fs, directory)
    if (now === before) return report
    before = now
    const { checked, findings } = await look(fs, directory)
    const again = new Set(findings.map(keyOf))
    const lasting = report.findings.filter((finding) => again.has(keyOf(finding)))
    report = { ok: lasting.length === 0, checked, findings: lasting }
  }
  return report
}

function keyOf({ file, offset, problem }: VerifyReport['findings'][number]): string {
  return `${file}\n${offset}\n${problem}`
}

/** A text that changes with every file that comes, grows or goes. */
function traceOf(fs: FileSystem, directory: string): string {
  const names = fs.listSync(directory).filter((name) => parseStoreFile(name) !== undefined)
  return names.map((name) => `${name} ${fs.statusSync(`${directory}/${name}`)?.bytes}`).join('\n')
}

async function look(fs: FileSystem, directory: string): Promise<VerifyReport> {
  const verification = new Verification()
  const reading = checkManifest(verification, fs, directory)
  if (reading === undefined) await checkUnnamed(verification, fs, directory)
  else {
    const { state } = reading
    for (const tree of state.trees.keys()) {
      const tables = [...state.tables.values()].filter((table) => table.tree === tree)
      await checkTree(verification, fs, directory, levelsOf(tables), () => false)
    }
    await checkLog(verification, fs, directory, state)
  }
  return verification.report()
}

async function checkTree(
  verification: Verification,
  fs: FileSystem,
  directory: string,
  levels: readonly (readonly TableMeta[])[],
  wasReplaced: (table: TableMeta) => boolean,
): Promise<void> {
  for (const { table, problem } of misplacedTables(levels)) {
    verification.add(`${directory}/${tableName(table.number)}`, problem)
  }
  const tables = new TableCheck(verification, fs, directory)
  for (const table of levels.flat()) await tables.check(table.number, table, () => wasReplaced(table))
}

/** The writer beside a reader removes what it has replaced; then the manifest does not name it any more. */
function isReplaced(engine: Engine, table: TableMeta): boolean {
  const state = stateBeside(engine)
  return state !== undefined && !state.tables.has(table.number)
}

function isFlushed(engine: Engine, segment: { readonly number: number }): boolean {
  return (stateBeside(engine)?.logFrom ?? 0) > segment.number
}

/** What the writer beside a read-only store says; nothing where this store is the writer, or where it cannot be read. */
function stateBeside({ fs, directory, log }: Engine): ManifestState | undefined {
  if (log !== undefined) return undefined
  try {
    const number = currentManifest(fs, directory)
    return number === undefined ? undefined : readManifest(fs, directory, number).state
  } catch {
    return undefined
  }
}

/** A segment that failed to be removed, a table that no job made: they take space, and tell of something that went wrong. */
function checkStrays(verification: Verification, engine: Engine): void {
  const { fs, directory, forest } = engine
  const strays = forest.strayFiles()
  if (strays === undefined) return
  const segments = new Set([...engine.segments, ...engine.retained.segments].map(({ path }) => path))
  const logs = segmentFiles(fs, directory, (number) => forest.hasPromised(number)).filter(
    ({ path }) => !segments.has(path),
  )
  for (const path of [...strays, ...logs.map((log) => log.path)]) {
    verification.add(path, 'it belongs to nothing; the next opening removes it')
  }
}

async function checkLog(
  verification: Verification,
  fs: FileSystem,
  directory: string,
  state: ManifestState,
): Promise<void> {
  const before = verification.findings.length
  const files = segmentFiles(fs, directory, (number) => number < state.lease.files)
  const needed = verification.attempt(directory, () => neededFiles(state, files, directory))
  for (const { number, path } of files) await checkSegmentAlone(verification, fs, number, path)
  if (needed === undefined || verification.findings.length > before) return
  const { storeId, edit, clean } = state
  const request = {
    fs,
    files: needed,
    storeId,
    lastEdit: edit,
    knownSynced: clean?.end ?? 0,
    strict: false,
    room: 0,
    live: false,
  }
  const log = verification.attempt(directory, () => recoverLog(request))
  for (const { file, offset, bytes, kind } of log?.losses ?? []) {
    // A torn tail is what any crash may leave, and nobody was told that it is safe.
    if (kind !== 'torn') verification.add(file, `${bytes} bytes that were on disk are not readable any more`, offset)
  }
}

/** Without a manifest each file can still be held to itself. */
async function checkUnnamed(verification: Verification, fs: FileSystem, directory: string): Promise<void> {
  const tables = new TableCheck(verification, fs, directory)
  for (const name of fs.listSync(directory).sort()) {
    const file = parseStoreFile(name)
    if (file?.kind === 'table') await tables.check(file.number)
    else if (file?.kind === 'segment') await checkSegmentAlone(verification, fs, file.number, `${directory}/${name}`)
  }
}

async function checkSegmentAlone(
  verification: Verification,
  fs: FileSystem,
  number: number,
  path: string,
): Promise<void> {
  const bytes = verification.attempt(path, () => readWholeFile(fs, path))
  if (bytes === undefined) return
  const found = await salvageLog(bytes, number, path, () => verification.breathe())
  verification.checked++
  if (found.headerProblem !== undefined) verification.addError(path, found.headerProblem)
  for (const hole of found.holes) {
    verification.add(
      path,
      hole.problem ?? `${hole.bytes} bytes are not sound, though sound records follow them`,
      hole.offset,
    )
  }
  await verification.breathe()
}
