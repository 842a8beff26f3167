/*
 * What a record of the commit log costs. Records of 140 bytes, which is a put of a 16-byte key and
 * a value of 100.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import b from 'benny'
import { diskFileSystem } from '../../src/fs/disk-file-system.js'
import type { FileSystem } from '../../src/fs/file-system.js'
import { MemoryFileSystem } from '../../src/fs/memory-file-system.js'
import { CommitLog, createSegment } from '../../src/log/commit-log.js'
import { RECORD_HEADER_BYTES, sealRecord, soundRecordLength } from '../../src/log/record.js'
import type { Segment } from '../../src/log/segment.js'
import type { Suites } from './suites.js'

const FRAME = { tag: 1, seed: 7 }
const RECORD_BYTES = 140
const PAYLOAD_BYTES = RECORD_BYTES - RECORD_HEADER_BYTES
const SEGMENT_BYTES = 16 << 20

/** A log whose segments are removed as soon as they are full. */
class EndlessLog {
  readonly log: CommitLog
  readonly #fs: FileSystem
  readonly #directory: string

  constructor(fs: FileSystem, directory: string) {
    this.#fs = fs
    this.#directory = directory
    this.log = new CommitLog(fs, directory, this.#segment(1, 0), 0)
  }

  append(): void {
    this.encode()
    this.log.writePending()
  }

  encode(): void {
    if (!this.log.fits(PAYLOAD_BYTES)) this.#rotate()
    this.log.endRecord(this.log.beginRecord(PAYLOAD_BYTES) + PAYLOAD_BYTES, 1)
  }

  #rotate(): void {
    this.log.writePending()
    const sealed = this.log.rotate(this.#segment(this.log.active.number + 1, this.log.end))
    this.log.retire(sealed)
    this.#fs.removeSync(sealed.path)
  }

  #segment(number: number, base: number): Segment {
    return createSegment(this.#fs, `${this.#directory}/${number}.log`, {
      magic: 'SILTLOG\n',
      number,
      base,
      previousEnd: base,
      capacity: SEGMENT_BYTES,
      lastEdit: 0,
      createdAt: 0,
      storeId: 1,
    })
  }
}

export const suites: Suites = async function* () {
  const directory = mkdtempSync(join(tmpdir(), 'siltstone-micro-'))
  const memory = new MemoryFileSystem()
  memory.makeDirectorySync('/log')
  const inMemory = new EndlessLog(memory, '/log')
  const onDisk = new EndlessLog(diskFileSystem, directory)

  const record = new Uint8Array(new SharedArrayBuffer(RECORD_BYTES)).fill(7)
  const view = new DataView(record.buffer)
  sealRecord(view, 0, RECORD_BYTES, FRAME, 1, 80, 0)

  yield await b.suite(
    `a record of ${RECORD_BYTES} bytes`,
    b.add('seal', () => {
      sealRecord(view, 0, RECORD_BYTES, FRAME, 1, 80, 0)
    }),
    b.add('check', () => {
      soundRecordLength(record, 0, RECORD_BYTES, FRAME, 80)
    }),
    b.add('append in memory', () => inMemory.append()),
    b.add('append on disk', () => onDisk.append()),
    b.add('append 100 on disk as a group', () => {
      for (let i = 0; i < 100; i++) onDisk.encode()
      onDisk.log.writePending()
    }),
    b.add('append on disk and sync', () => {
      onDisk.append()
      onDisk.log.syncSync()
    }),
    b.cycle(),
  )
  onDisk.log.close()
  rmSync(directory, { recursive: true })
}
