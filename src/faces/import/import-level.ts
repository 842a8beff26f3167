import { AbstractLevel } from 'abstract-level'
import type { Entry } from '../../bytes/cursor.js'
import { invalid, SiltstoneError } from '../../bytes/errors.js'
import type { BatchOperation } from '../../store/batch.js'
import { describe } from '../../store/encoding.js'
import { Keyspace } from '../../store/keyspace.js'
import { checkSizes } from '../../store/operations.js'
import { checked, flag, handler, signal, whole } from '../../store/options.js'
import type { TreeState } from '../../store/tree-state.js'
import { SiltstoneLevel, storeOf } from '../level/level.js'
import { EntryDigest, isSame, NOTHING, type Sum } from './entry-digest.js'
import { type ImportMarks, importMarks } from './import-marks.js'
import { type BatchLimits, batchesOf, checkSource, type LevelEntry, type LevelSource } from './level-source.js'

/** What `importLevel` takes. */
export interface ImportLevelOptions {
  /** Remove what the keyspace holds, an unfinished import included, in the commit in which the import begins (default false). */
  replace?: boolean
  /** Entries to a commit (default 1000). */
  batchEntries?: number
  /** Bytes of keys and values at which a commit is large enough (default 1 MiB). */
  batchBytes?: number
  /** Called after each commit, and now and then while what is there already is read. */
  onProgress?: (progress: ImportProgress) => void
  /** Ends the import when it aborts, with its reason; the next one goes on there. */
  signal?: AbortSignal
}

/** How far an import has come. */
export interface ImportProgress {
  /** 'resume': reads again what an earlier run has brought over. 'verify': reads back from the store. */
  readonly step: 'resume' | 'copy' | 'verify'
  /** Entries read in this step; those of 'resume' and 'copy' count on. */
  readonly entries: number
  /** Their bytes, of keys and values. */
  readonly bytes: number
  /** How many of the entries earlier runs have brought over. */
  readonly resumedAfter: number
}

/** What an import came to: the same in the source and in the store. */
export interface ImportReport extends Sum {
  /** How many of the entries earlier runs have brought over. */
  readonly resumedAfter: number
}

const checks = {
  replace: flag,
  batchEntries: whole(1, 1_000_000, 'entries'),
  batchBytes: whole(1, 256 * 1024 * 1024, 'bytes'),
  onProgress: handler,
  signal,
}

type Bytes = Keyspace<Uint8Array, Uint8Array>

/** One process writes to a store, so this knows of all that are under way in it. */
const underWay = new WeakSet<TreeState>()

/**
 * Brings all entries of a Level database over into a store, or into one of its keyspaces, as they are: keys and values as bytes, those of
 * sublevels with their prefixes. A `SiltstoneLevel` of that store shows what the source shows.
 *
 * How far it has come is written in the same commits as the entries. Whatever interrupts it, a crash included, the same call goes on
 * there; before, it reads the source up to there again and refuses with `SILT_MISMATCH` if that has changed. At the end all that the
 * keyspace holds is moved into tables, read back, and compared by count and checksum with what the source gave: `SILT_MISMATCH` if it
 * differs. What has resolved survives a loss of power.
 *
 * A keyspace that is not empty is refused with `SILT_EXISTS` unless `replace` is said; a `SiltstoneLevel` is not read into what it stands on. Nobody else may write to it meanwhile. What is
 * written to the source meanwhile does not come over. Declare indexes of the keyspace afterwards: those that are there do not hear of it.
 *
 * @example
 * const old = new ClassicLevel('./old', { createIfMissing: false })
 * const { entries, checksum } = await importLevel(old, db, {
 *   onProgress: ({ step, entries }) => console.log(step, entries),
 * })
 * await old.close()
 */
export async function importLevel<K, V>(
  source: LevelSource,
  db: Keyspace<K, V>,
  options: ImportLevelOptions = {},
): Promise<ImportReport> {
  checked(options, checks, 'importLevel')
  checkSource(source)
  if (!(db instanceof Keyspace)) throw invalid(`importLevel writes to a database or a keyspace, not ${describe(db)}`)
  db.engine.checkOpen()
  db.engine.checkWritable()
  const { state } = db
  if (isBelow(source, db)) {
    throw invalid(
      `The source is what ${placeOf(db)} holds already; import into another keyspace, or from another database`,
    )
  }
  if (underWay.has(state)) throw invalid(`There is an import into ${placeOf(db)} under way; await that one`)
  underWay.add(state)
  try {
    return await new LevelImport(source, db.as({ keyEncoding: 'view', valueEncoding: 'view' }), options).run()
  } finally {
    underWay.delete(state)
  }
}

/** Whether a `SiltstoneLevel`, or a sublevel of one, stands on that keyspace. */
function isBelow(source: LevelSource, db: { readonly state: TreeState }): boolean {
  let level: unknown = source
  while (level instanceof AbstractLevel && !(level instanceof SiltstoneLevel)) {
    level = (level as { parent?: unknown }).parent
  }
  return level instanceof SiltstoneLevel && level.status === 'open' && storeOf(level).state === db.state
}

/** An import under way. */
class LevelImport {
  private readonly source: LevelSource
  private readonly target: Bytes
  private readonly marks: ImportMarks
  private readonly options: ImportLevelOptions
  private readonly limits: BatchLimits
  /** What earlier runs have brought over. */
  private mark = NOTHING
  /** Of what the source has given so far. */
  private readonly read = new EntryDigest()

  constructor(source: LevelSource, target: Bytes, options: ImportLevelOptions) {
    this.source = source
    this.target = target
    this.marks = importMarks(target)
    this.options = options
    this.limits = { entries: options.batchEntries ?? 1000, bytes: options.batchBytes ?? 1024 * 1024 }
  }

  async run(): Promise<ImportReport> {
    const { target, marks } = this
    this.mark = await this.begin()
    await this.copy()
    await target.engine.flush()
    const sum = await this.verify()
    // Synced, so that not even a loss of power makes an import of it that is not finished.
    if ((await marks.get(target.name)) !== undefined) await marks.del(target.name, { sync: true })
    return { ...sum, resumedAfter: this.mark.entries }
  }

  /** Where to go on: what an import that was interrupted has brought over. */
  private async begin(): Promise<Sum> {
    const { target, marks, options } = this
    if (options.replace) return NOTHING
    const mark = await marks.get(target.name)
    if (mark !== undefined || (await isEmpty(target))) return mark ?? NOTHING
    throw new SiltstoneError(
      'SILT_EXISTS',
      `${capital(placeOf(target))} is not empty; import into another keyspace, or say { replace: true } to remove what it holds`,
    )
  }

  /** Reads the source from its beginning, and brings over what is behind the mark. */
  private async copy(): Promise<void> {
    const { read, mark } = this
    // What is to be replaced goes together with the first entries that replace it: they could be read.
    let replaces = this.options.replace === true
    for await (const batch of batchesOf(this.source, this.limits)) {
      this.options.signal?.throwIfAborted()
      let known = 0
      while (known < batch.length && read.entries < mark.entries) read.add(...batch[known++]!)
      if (known > 0 && read.entries === mark.entries) this.checkUnchanged()
      if (known < batch.length) {
        await this.commit(known === 0 ? batch : batch.slice(known), replaces)
        replaces = false
      }
      this.report(known < batch.length ? 'copy' : 'resume', read.sum)
    }
    if (read.entries < mark.entries) this.checkUnchanged()
    if (replaces) await this.commit([], true)
  }

  private async commit(batch: readonly LevelEntry[], replaces: boolean): Promise<void> {
    const { target, marks, read } = this
    const operations: BatchOperation<Uint8Array, Uint8Array>[] = replaces ? [{ type: 'clear' }] : []
    for (const [key, value] of batch) {
      checkFits(key, value)
      read.add(key, value)
      operations.push({ type: 'put', key, value })
    }
    operations.push({ type: 'put', key: target.name, value: read.sum, keyspace: marks })
    await target.batch(operations)
  }

  private checkUnchanged(): void {
    const { read, mark } = this
    if (isSame(read.sum, mark)) return
    throw new SiltstoneError(
      'SILT_MISMATCH',
      `The source is not what it was when an import into ${placeOf(this.target)} was interrupted after ${mark.entries} entries; say { replace: true } to begin anew`,
    )
  }

  /** Reads back what the store holds. */
  private async verify(): Promise<Sum> {
    const { target, read, options } = this
    const found = new EntryDigest()
    const add = ({ keyBytes, keyStart, keyEnd, valueBytes, valueStart, valueEnd }: Entry): void =>
      found.add(keyBytes.subarray(keyStart, keyEnd), valueBytes.subarray(valueStart, valueEnd))
    const scan = target.scan(options.signal === undefined ? {} : { signal: options.signal }, add)
    try {
      while ((await scan.nextMany(this.limits.entries)).length > 0) this.report('verify', found.sum)
    } finally {
      scan.close()
    }
    if (isSame(read.sum, found.sum)) return found.sum
    throw new SiltstoneError(
      'SILT_MISMATCH',
      `The source gave ${inWords(read.sum)}, and ${placeOf(target)} holds ${inWords(found.sum)}; see that nobody else writes there, and import again with { replace: true }`,
    )
  }

  private report(step: ImportProgress['step'], { entries, bytes }: Sum): void {
    this.options.onProgress?.({ step, entries, bytes, resumedAfter: this.mark.entries })
  }
}

async function isEmpty(target: Bytes): Promise<boolean> {
  return (await target.keys({ limit: 1 }).toArray()).length === 0
}

const SHOWN_KEY_BYTES = 40

function checkFits(key: Uint8Array, value: Uint8Array): void {
  try {
    checkSizes(key, value)
  } catch (cause) {
    const shown = JSON.stringify(Buffer.from(key.subarray(0, SHOWN_KEY_BYTES)).toString())
    const sentence = `The entry of the source whose key begins with ${shown} does not fit: ${(cause as Error).message}`
    throw new SiltstoneError('SILT_INVALID_ARGUMENT', sentence, { cause })
  }
}

function placeOf({ name }: { readonly name: string }): string {
  return name === '' ? 'the default keyspace' : `keyspace '${name}'`
}

function capital(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1)
}

function inWords({ entries, bytes, checksum }: Sum): string {
  return `${entries} entries of ${bytes} bytes (checksum ${checksum})`
}
