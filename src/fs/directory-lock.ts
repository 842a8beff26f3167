import { statSync } from 'node:fs'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ioError, SiltstoneError } from '../bytes/errors.js'
import { reasonOf } from '../bytes/reason.js'
import type { FileLock } from './file-system.js'
import type { Holder } from './holder.js'
import { HolderFile } from './holder-file.js'
import { releaseSocket, takeSocket } from './lock-socket.js'
import { errorCode } from './system-error.js'

/*
 * One process at a time in a directory. Two things are taken, in this order, and both have to be free:
 *
 * 1. A socket named after the directory's device and inode, so that two paths to one directory meet. The kernel frees it.
 * 2. The file LOCK, which says who holds the directory, for people and for the cases that the socket does not see.
 *
 * What is caught:
 * - two opens in one process, its worker threads and cluster workers included (socket);
 * - two processes of a machine, whoever started them (socket), also with network namespaces of their own as long as they see
 *   each other's process ids (file);
 * - a process where sockets are forbidden (file: the holder's id, beginning and boot are compared, so that an id which was
 *   given out again is not taken for it).
 *
 * What is not caught: two containers that share a volume but neither network nor process ids, and two machines on one network
 * drive. A dead holder looks the same from there as a living one, and a store must open again after a crash. A socket file in
 * the directory would tell containers apart, but whatever copies a directory (`cp -r`, `fs.cp`, backups) stops at a socket.
 */

export const LOCK_FILE = 'LOCK'

// How long the winner of a race may take between its socket and its file before the loser reports it without a name.
const NAMING_ATTEMPTS = 10
const NAMING_MS = 10

/**
 * Takes the lock of a directory on disk, or throws `SILT_LOCKED` with the holder's pid. `take` is the system's sockets, or a
 * test's system that has none.
 */
export async function lockDirectory(directory: string, take: typeof takeSocket = takeSocket): Promise<FileLock> {
  const file = join(directory, LOCK_FILE)
  try {
    const socket = await take(identityOf(directory))
    if (socket === 'taken') throw inUse(directory, await nameHolder(file))
    const server = socket === 'impossible' ? undefined : socket
    try {
      const claim = await HolderFile.claim(file)
      if (claim instanceof HolderFile) return heldLock(claim, server)
      throw inUse(directory, claim)
    } catch (error) {
      if (server) await releaseSocket(server)
      throw error
    }
  } catch (error) {
    throw isReadOnly(error) ? readOnlyDirectory(directory, error) : ioError(error, 'lock', directory)
  }
}

function heldLock(claim: HolderFile, server: Server | undefined): FileLock {
  let released: Promise<void> | undefined
  const release = async (): Promise<void> => {
    // The file first: while the socket is held nobody else can have put theirs there.
    try {
      claim.release()
    } finally {
      if (server) await releaseSocket(server)
    }
  }
  return { release: () => (released ??= release()) }
}

function identityOf(directory: string): string {
  const { dev, ino } = statSync(directory, { bigint: true })
  return `${dev}-${ino}`
}

async function nameHolder(file: string): Promise<Holder | undefined> {
  for (let attempt = 1; attempt <= NAMING_ATTEMPTS; attempt++) {
    const holder = HolderFile.holder(file)
    if (holder !== undefined) return holder
    await delay(NAMING_MS)
  }
  return undefined
}

function inUse(directory: string, holder: Holder | undefined): SiltstoneError {
  const who =
    holder === undefined
      ? 'another process; close it there'
      : holder.pid === process.pid
        ? `this process (${holder.pid}); close it first, or share the one that is open`
        : `process ${holder.pid}; close it there, or open with { readOnly: true } to read beside it`
  return new SiltstoneError('SILT_LOCKED', `${directory} is in use by ${who}`, {
    file: directory,
    ...(holder === undefined ? {} : { pid: holder.pid }),
  })
}

function isReadOnly(error: unknown): boolean {
  return ['EACCES', 'EPERM', 'EROFS'].includes(errorCode(error) ?? '')
}

function readOnlyDirectory(directory: string, error: unknown): SiltstoneError {
  const reason = reasonOf(error)
  return new SiltstoneError(
    'SILT_IO',
    `Could not lock ${directory}: ${reason}; make the directory writable, or open with { readOnly: true } to read`,
    { cause: error, file: directory },
  )
}
