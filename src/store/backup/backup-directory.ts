import { createHash } from 'node:crypto'
import { corruption, SiltstoneError } from '../../bytes/errors.js'
import { makeDurableDirectory } from '../../fs/durable-directory.js'
import { kindOf } from '../../fs/file-kind.js'
import { copyFile, type FilePlace, readThrough, shareFile } from '../../fs/file-share.js'
import type { FileLock, FileSystem } from '../../fs/file-system.js'
import { letGo } from '../../fs/let-go.js'
import { readWholeFile } from '../../fs/whole-file.js'
import { Turn } from '../turn.js'
import {
  type BackupFile,
  type BackupRecord,
  decodeRecord,
  encodeRecord,
  LONGEST_RECORD_BYTES,
  parseRecordName,
  recordName,
  SHA_256,
} from './backup-record.js'

const INCOMING = 'incoming'

/** The records of a directory, oldest first, and the ids of those that cannot be read. */
export interface FoundRecords {
  readonly records: readonly BackupRecord[]
  readonly damaged: readonly { readonly id: number; readonly error: SiltstoneError }[]
}

/**
 * A directory of backups: a list for each of them, and one pool of files that they share. A file is in the pool under the hash of
 * its content, so what is there already is never written again, and what is there is whole: it gets its name when it is
 * on disk.
 */
export class BackupDirectory {
  readonly fs: FileSystem
  readonly path: string
  /** Of the files that were put into the pool and had not been there. */
  addedBytes = 0

  constructor(fs: FileSystem, path: string) {
    this.fs = fs
    this.path = path
  }

  /** Makes the directory where it is not there, and takes its lock. */
  async lock(): Promise<FileLock> {
    if (kindOf(this.fs, this.pool) !== 'directory') this.makePool()
    return this.fs.lock(this.path)
  }

  private makePool(): void {
    const { fs, pool } = this
    if (kindOf(fs, pool) !== undefined) {
      throw new SiltstoneError(
        'SILT_IO',
        `${pool} is no folder but a link or a file; backups are kept in no other place`,
        {
          file: pool,
        },
      )
    }
    makeDurableDirectory(fs, pool)
  }

  filePlace(sha256: string): FilePlace {
    return { fs: this.fs, path: `${this.pool}/${sha256}` }
  }

  // Records.

  find(): FoundRecords {
    const { fs, path } = this
    const ids = fs.statusSync(path)?.isDirectory ? fs.listSync(path).map(parseRecordName) : []
    const records: BackupRecord[] = []
    const damaged: { id: number; error: SiltstoneError }[] = []
    for (const id of ids.filter((each) => each !== undefined).sort((a, b) => a - b)) {
      try {
        records.push(this.read(id))
      } catch (error) {
        if (!(error instanceof SiltstoneError)) throw error
        damaged.push({ id, error })
      }
    }
    return { records, damaged }
  }

  /** All records, where all can be read. */
  all(): readonly BackupRecord[] {
    const { records, damaged } = this.find()
    if (damaged.length > 0) throw damaged[0]!.error
    return records
  }

  read(id: number): BackupRecord {
    const path = `${this.path}/${recordName(id)}`
    const kind = kindOf(this.fs, path)
    if (kind === undefined) {
      throw new SiltstoneError(
        'SILT_NOT_FOUND',
        `There is no backup ${id} in ${this.path}; listBackups() says which there are`,
      )
    }
    if (kind !== 'file' || this.fs.statusSync(path)!.bytes > LONGEST_RECORD_BYTES) {
      throw corruption(path, 0, 'it is no file that a backup can have left; remove it to go on without this backup')
    }
    return decodeRecord(readWholeFile(this.fs, path) ?? new Uint8Array(0), path, id)
  }

  /** The backup counts when this resolves, and not before. Requires: the lock, and every file of it in the pool. */
  async add(record: BackupRecord): Promise<void> {
    const { fs, path } = this
    await fs.syncDirectory(this.pool)
    const name = `${path}/${recordName(record.id)}`
    const file = fs.openSync(`${name}.new`, 'create')
    try {
      const bytes = encodeRecord(record)
      for (let done = 0; done < bytes.length; ) done += file.writeSync(bytes, done, bytes.length - done, done)
      await file.sync()
    } finally {
      letGo(file)
    }
    fs.renameSync(`${name}.new`, name)
    await fs.syncDirectory(path)
  }

  /** The backups are gone when this resolves; their files go with `sweep`. Requires: the lock. */
  async remove(ids: readonly number[]): Promise<void> {
    for (const id of ids) this.fs.removeSync(`${this.path}/${recordName(id)}`)
    if (ids.length > 0) await this.fs.syncDirectory(this.path)
  }

  // Files.

  /** Puts a file into the pool. Requires: the lock. */
  async takeIn(name: string, from: FilePlace, link: boolean): Promise<BackupFile> {
    const incoming = { fs: this.fs, path: `${this.pool}/${INCOMING}` }
    const hash = new ContentHash()
    if (link) {
      await shareFile(from, incoming)
      await readThrough(incoming, (slice) => hash.add(slice))
    } else await copyFile(from, incoming, (slice) => hash.add(slice))
    return this.name(name, hash)
  }

  /** Puts a file into the pool that is in memory, in parts. Requires: the lock. */
  async takeInBytes(name: string, parts: Iterable<Uint8Array>): Promise<BackupFile> {
    const turn = new Turn()
    const hash = new ContentHash()
    const file = this.fs.openSync(`${this.pool}/${INCOMING}`, 'create')
    try {
      for (const part of parts) {
        for (let done = 0; done < part.length; ) {
          done += file.writeSync(part, done, part.length - done, hash.bytes + done)
        }
        hash.add(part)
        if (turn.isDue()) await turn.next()
      }
      await file.sync()
    } finally {
      letGo(file)
    }
    return this.name(name, hash)
  }

  private name(name: string, hash: ContentHash): BackupFile {
    const sha256 = hash.digest()
    const { fs, path } = this.filePlace(sha256)
    // The same content from somewhere else: what is there has been synced.
    if (kindOf(fs, path) === 'file') fs.removeSync(`${this.pool}/${INCOMING}`)
    else {
      fs.renameSync(`${this.pool}/${INCOMING}`, path)
      this.addedBytes += hash.bytes
    }
    return { name, bytes: hash.bytes, sha256 }
  }

  /** What is wrong with a file of the pool, if anything is. */
  async problemOf({ bytes, sha256 }: BackupFile): Promise<string | undefined> {
    const place = this.filePlace(sha256)
    const problem = this.sizeProblemOf(place.path, bytes)
    if (problem !== undefined) return problem
    const hash = new ContentHash()
    await readThrough(place, (slice) => hash.add(slice))
    return hash.digest() === sha256 ? undefined : 'its content is not what was written'
  }

  /** Copies a file out of the pool and holds it to its hash while it passes. Says what is wrong with it, if anything is. */
  async bringBack({ bytes, sha256 }: BackupFile, to: FilePlace): Promise<string | undefined> {
    const problem = this.sizeProblemOf(this.filePlace(sha256).path, bytes)
    if (problem !== undefined) return problem
    const hash = new ContentHash()
    await copyFile(this.filePlace(sha256), to, (slice) => hash.add(slice))
    return hash.digest() === sha256 ? undefined : 'its content is not what was written'
  }

  private sizeProblemOf(path: string, bytes: number): string | undefined {
    const kind = kindOf(this.fs, path)
    if (kind === undefined) return 'it is missing'
    if (kind !== 'file') return 'it is no file'
    const size = this.fs.statusSync(path)?.bytes
    return size === bytes ? undefined : `it has ${size} bytes and ought to have ${bytes}`
  }

  /** Removes what no backup needs: files of those that were removed, and what interrupted ones have left. Requires: the lock. */
  sweep(): void {
    const { fs, path, pool } = this
    const { records, damaged } = this.find()
    for (const name of fs.listSync(path)) {
      const isLeft = name.endsWith('.new') && parseRecordName(name.slice(0, -4)) !== undefined
      if (isLeft && kindOf(fs, `${path}/${name}`) === 'file') fs.removeSync(`${path}/${name}`)
    }
    const needed = new Set(records.flatMap(({ files }) => files.map(({ sha256 }) => sha256)))
    for (const name of fs.listSync(pool)) {
      const isLeft = name === INCOMING
      // Which files a record that cannot be read has named is not known.
      const isUnneeded = damaged.length === 0 && SHA_256.test(name) && !needed.has(name)
      if ((isLeft || isUnneeded) && kindOf(fs, `${pool}/${name}`) === 'file') fs.removeSync(`${pool}/${name}`)
    }
  }

  private get pool(): string {
    return `${this.path}/files`
  }
}

class ContentHash {
  bytes = 0
  private readonly hash = createHash('sha256')

  add(slice: Uint8Array): void {
    this.hash.update(slice)
    this.bytes += slice.length
  }

  digest(): string {
    return this.hash.digest('hex')
  }
}
