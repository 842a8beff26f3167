import { SiltstoneError } from '../bytes/errors.js'
import { kindOf } from '../fs/file-kind.js'
import type { FileSystem } from '../fs/file-system.js'
import { letGo } from '../fs/let-go.js'
import { errorCode } from '../fs/system-error.js'
import { LOG_HEADER_BYTES, type LogMagic, readLogHeader } from '../log/log-header.js'
import { provesHeader } from '../log/log-scan.js'
import { beginsWithBlock } from '../table/envelope-walk.js'
import { TABLE_MAGIC } from '../table/footer.js'
import { CURRENT, holdsStoreData, parseStoreFile, type StoreFile } from './file-names.js'

/*
 * Other programs call their files as a store does: LevelDB has CURRENT, MANIFEST-000004, 000005.log and 000006.sst, and a log of the
 * 31st of January is 20240131.log. So a name alone gives nobody the right to a file. What counts is what stands in it: the magic of its
 * kind or, where that is damaged or was never written, content that only a store can have written there. Links are never followed, and
 * what is no regular file is nobody's.
 */

const MAGIC_BYTES = 8
/** Of a magic that has rotted. */
const ENOUGH_MAGIC_BYTES = 6
/** How much is read of a file whose magic is not there. */
const PROOF_BYTES = 1 << 20
const CURRENT_BYTES = 32
/** What a loss of power leaves out, it leaves out in pieces of this size. */
const SECTOR_BYTES = 512

/** Whether a file in a directory was written by a store under that name. */
export function isOwnFile(fs: FileSystem, path: string, name = nameOf(path), storeId?: number): boolean {
  const file = parseStoreFile(name)
  if (file === undefined || file.kind === 'lock' || kindOf(fs, path) !== 'file') return false
  try {
    return new OwnershipProof(fs, path, file, storeId).holds
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
}

/** The files in a directory that a store has written, by their names. */
export function ownFiles(fs: FileSystem, directory: string): string[] {
  return fs.listSync(directory).filter((name) => isOwnFile(fs, `${directory}/${name}`))
}

/**
 * Throws where CURRENT leads to a manifest that is none of a store's, and nothing else there is a store's: another program's database, of
 * which not even the lock may be touched.
 */
export function requireNoOtherDatabase(fs: FileSystem, directory: string): void {
  if (kindOf(fs, `${directory}/${CURRENT}`) !== 'file') return
  const others = fs.listSync(directory).filter((name) => holdsStoreData(name))
  // One is enough, and it is nearly always the first: a store of many tables is not read for this.
  if (others.length === 0 || others.some((name) => isOwnFile(fs, `${directory}/${name}`))) return
  throw new SiltstoneError(
    'SILT_CORRUPTION',
    `${directory} holds a database of another program (${others[0]} is no file of a store), and nothing of it was touched; choose another directory`,
    { file: `${directory}/${others[0]}` },
  )
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

class OwnershipProof {
  readonly holds: boolean
  private readonly fs: FileSystem
  private readonly path: string
  private readonly file: StoreFile
  private readonly storeId: number | undefined

  constructor(fs: FileSystem, path: string, file: StoreFile, storeId: number | undefined) {
    this.fs = fs
    this.path = path
    this.file = file
    this.storeId = storeId
    this.holds = this.proof()
  }

  private proof(): boolean {
    const { kind } = this.file
    if (kind === 'table') return this.isTable()
    if (kind === 'segment') return this.isLog('SILTLOG\n')
    if (kind === 'manifest') return this.isLog('SILTMAN\n')
    return this.namesManifest()
  }

  private isTable(): boolean {
    const size = this.size()
    const tail = this.read(Math.max(0, size - MAGIC_BYTES), MAGIC_BYTES)
    if (size === 0 || bears(tail, TABLE_MAGIC)) return true
    // One that was cut short, or whose writing was interrupted.
    const head = this.read(0, PROOF_BYTES)
    return isBlank(head.subarray(0, SECTOR_BYTES)) || beginsWithBlock(head, this.file.number)
  }

  private isLog(magic: LogMagic): boolean {
    const head = this.read(0, LOG_HEADER_BYTES)
    if (isBlank(head)) return true
    if (!bears(head, Buffer.from(magic, 'latin1'))) {
      const bytes = this.read(0, PROOF_BYTES)
      return magic === 'SILTLOG\n' && provesHeader(bytes, bytes.length, this.file.number)
    }
    return this.storeId === undefined || this.isOfStore(head, magic, this.storeId)
  }

  private isOfStore(head: Uint8Array, magic: LogMagic, storeId: number): boolean {
    try {
      const header = readLogHeader(head, head.length, magic, this.path)
      return header === undefined || header.storeId === storeId
    } catch {
      // Damaged, and so at least not known to be another's.
      return true
    }
  }

  /** CURRENT, or what is to become one and may have been interrupted. */
  private namesManifest(): boolean {
    if (this.size() > CURRENT_BYTES) return false
    // It is synced after it has got its name: a loss of power may leave anything in it.
    if (this.file.kind === 'next-current') return true
    const text = Buffer.from(this.read(0, CURRENT_BYTES)).toString('latin1')
    return 'MANIFEST-'.startsWith(text) || /^MANIFEST-\d{0,10}\n?$/.test(text)
  }

  private size(): number {
    return this.fs.statusSync(this.path)?.bytes ?? 0
  }

  private read(offset: number, length: number): Uint8Array {
    const file = this.fs.openSync(this.path, 'read')
    try {
      const bytes = new Uint8Array(Math.min(length, Math.max(0, file.sizeSync() - offset)))
      return bytes.subarray(0, file.readSync(bytes, 0, bytes.length, offset))
    } catch (error) {
      // What the disk does not give back counts as if it had never come there.
      if (errorCode(error) !== 'EIO') throw error
      return new Uint8Array(length)
    } finally {
      letGo(file)
    }
  }
}

function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

function bears(bytes: Uint8Array, magic: ArrayLike<number>): boolean {
  if (bytes.length < MAGIC_BYTES) return false
  let same = 0
  for (let i = 0; i < MAGIC_BYTES; i++) if (bytes[i] === magic[i]) same++
  return same >= ENOUGH_MAGIC_BYTES
}
