import { ioError } from '../bytes/errors.js'
import type { Position } from '../bytes/units.js'
import { shareFile } from '../fs/file-share.js'
import type { FileSystem } from '../fs/file-system.js'
import { tableName } from '../tree/file-names.js'
import { Capture } from './copy/capture.js'
import { Construction } from './copy/construction.js'
import type { Engine } from './engine.js'
import { keepAlive } from './keep-alive.js'

/** What `db.checkpoint` returns. */
export interface CheckpointReport {
  /** Everything committed before this position is in it: `db.changes({ since: position })` yields what came after. */
  readonly position: Position
  /** Tables in it. */
  readonly tables: number
  /** Of everything in it. */
  readonly bytes: number
  /** Of that, what was written; the rest are second names for files of the store. */
  readonly writtenBytes: number
}

/**
 * Makes a store of its own of what this one is right now, while reads and writes go on.
 *
 * Tables get a second name where the disk can do that, and the log up to the position is copied out of memory, so nothing has
 * to be flushed before. What the two stores share are bytes that neither of them ever changes.
 */
export function makeCheckpoint(engine: Engine, fs: FileSystem, directory: string): Promise<CheckpointReport> {
  return keepAlive(copyOut(engine, fs, directory))
}

/** The same as of the turn of the call: several stores that are copied in one turn are copied as of one moment. */
export function makeCheckpointNow(engine: Engine, fs: FileSystem, directory: string): Promise<CheckpointReport> {
  return keepAlive(copyCapture(Capture.takeNow(engine), engine, fs, directory))
}

async function copyOut(engine: Engine, fs: FileSystem, directory: string): Promise<CheckpointReport> {
  return copyCapture(await Capture.take(engine), engine, fs, directory)
}

async function copyCapture(
  capture: Capture,
  engine: Engine,
  fs: FileSystem,
  directory: string,
): Promise<CheckpointReport> {
  try {
    const construction = await Construction.begin(fs, directory, capture.manifestNumber)
    try {
      return await fill(engine, capture, construction)
    } catch (error) {
      await construction.abandon()
      throw error
    }
  } catch (error) {
    throw ioError(error, 'make a checkpoint in', directory)
  } finally {
    capture.release()
  }
}

async function fill(engine: Engine, capture: Capture, construction: Construction): Promise<CheckpointReport> {
  let bytes = 0
  let writtenBytes = 0
  for (const { number, bytes: tableBytes } of capture.tables) {
    const path = construction.tablePath(number)
    const from = { fs: engine.fs, path: `${engine.directory}/${tableName(number)}` }
    const outcome = await shareFile(from, { fs: construction.fs, path })
    construction.checkTable(number, tableBytes)
    bytes += tableBytes
    if (outcome === 'copied') writtenBytes += tableBytes
    engine.checkOpen()
  }
  for (const segment of capture.segments) {
    await construction.addSegment(segment, () => engine.checkOpen())
    bytes += segment.end
    writtenBytes += segment.end
  }
  await construction.finish(capture.manifestState())
  return { position: capture.position, tables: capture.tables.length, bytes, writtenBytes }
}
