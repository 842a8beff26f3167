import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { SiltstoneError } from '../../../src/bytes/errors.js'
import { type ImportProgress, importLevel } from '../../../src/faces/import/import-level.js'
import type { LevelSource } from '../../../src/faces/import/level-source.js'
import { Failure } from '../failure.js'
import { importPackage } from '../package-import.js'
import { placeIn, type Store } from '../store.js'
import { stopSignal } from '../terminal.js'
import type { ImportOutcome } from './import-run.js'
import { Progress } from './progress.js'

export interface LevelImportOptions {
  readonly keyspace: string | undefined
  readonly batchEntries: number
  readonly replace: boolean
}

interface LevelDb extends LevelSource {
  open(): Promise<void>
  close(): Promise<void>
}

/** Brings a directory of LevelDB over, and tells how it goes. */
export async function importLevelDb(
  store: Store,
  directory: string,
  { keyspace, batchEntries, replace }: LevelImportOptions,
  progress: Progress,
  onResume: (before: number) => void,
): Promise<ImportOutcome> {
  const database = await openLevelDb(directory)
  const verifying = new Progress('entries verified')
  let before = 0
  let copied = 0
  const onProgress = ({ step, entries, resumedAfter }: ImportProgress): void => {
    if (before === 0 && resumedAfter > 0) onResume(resumedAfter)
    before = resumedAfter
    if (step === 'verify') verifying.advance(entries, entries / (before + copied))
    else progress.advance(entries)
    if (step === 'copy') copied = entries - before
  }
  try {
    const options = { batchEntries, replace, signal: stopSignal, onProgress }
    const { checksum } = await importLevel(database, placeIn(store, keyspace), options)
    return { imported: copied, before, complete: true, checksum }
  } catch (error) {
    if (stopSignal.aborted && error === stopSignal.reason) return { imported: copied, before, complete: false }
    throw asTyped(error)
  } finally {
    verifying.end()
    await database.close()
  }
}

/** What an option is called here. */
function asTyped(error: unknown): unknown {
  const code = error instanceof SiltstoneError ? error.code : undefined
  if (code !== 'SILT_EXISTS' && code !== 'SILT_MISMATCH') return error
  return new Failure((error as Error).message.replace('{ replace: true }', '--replace'))
}

/** LevelDB's own files are read by LevelDB: classic-level, which whoever has such a directory has as well. */
async function openLevelDb(directory: string): Promise<LevelDb> {
  if (!existsSync(join(directory, 'CURRENT'))) {
    throw new Failure(
      `${directory} is a directory without a database of LevelDB; name a file, or a directory that has one`,
    )
  }
  const module = await importPackage<{ ClassicLevel: new (path: string, options: object) => LevelDb }>('classic-level')
  if (module === undefined) {
    throw new Failure('Reading a LevelDB directory needs the package classic-level; run: npm install classic-level')
  }
  const database = new module.ClassicLevel(directory, { createIfMissing: false })
  try {
    await database.open()
  } catch (error) {
    const reason = ((error as Error).cause as Error | undefined)?.message ?? (error as Error).message
    throw new Failure(`LevelDB does not open ${directory}: ${reason}`)
  }
  return database
}
