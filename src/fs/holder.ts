import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import { errorCode } from './system-error.js'

/** Who holds a lock, told so that others can find out whether it still lives. */
export interface Holder {
  /** Random, one for each time that a lock is taken. */
  readonly id: string
  readonly pid: number
  /** The machine's name, for people. */
  readonly host: string
  /** The machine's boot where the system tells one (Linux): a process dies with the boot it lived in. */
  readonly boot?: string
  /** Where there is no boot to tell: a digest of the machine's name and its network addresses. */
  readonly machine?: string
  /** Process ids count from one in every container; they compare only within one namespace. */
  readonly pidNamespace?: string
  /** When the process began, in ticks since boot: ids are given out again, id and beginning together are not. */
  readonly startTicks?: string
  /** The socket of its lock, and where it can be seen from; absent where it has none. */
  readonly socket?: string
}

/** A process as others can find out about it. */
export type Process = Omit<Holder, 'id' | 'socket'>

export function newHolderId(): string {
  return randomBytes(8).toString('hex')
}

export function thisProcess(): Process {
  const host = hostname()
  const boot = attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim())
  const pidNamespace = attempt(() => readlinkSync('/proc/self/ns/pid'))
  const startTicks = startTicksOf(process.pid)
  return {
    pid: process.pid,
    host,
    ...(boot === undefined ? { machine: machineDigest(host) } : { boot }),
    ...(pidNamespace === undefined ? {} : { pidNamespace }),
    ...(startTicks === undefined ? {} : { startTicks }),
  }
}

/** A name alone tells no machine apart: every second laptop is called the same. */
function machineDigest(host: string): string {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ mac }) => mac))
  const hash = createHash('sha256').update([host, ...new Set(addresses.sort())].join(' '))
  return hash.digest('hex').slice(0, 16)
}

/** Whether two processes live, or have lived, in one boot of one machine. What is not known is not the same. */
export function isSameBoot(a: Process, b: Process): boolean {
  if (a.boot !== undefined || b.boot !== undefined) return a.boot === b.boot
  return a.machine !== undefined && a.machine === b.machine
}

/** Whether a process has the id: yes, no, or (without the time of its beginning) somebody has it. */
export function findProcess(pid: number, startTicks: string | undefined): 'there' | 'gone' | 'unknown' {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it is there, it is only not ours to signal.
    if (errorCode(error) !== 'EPERM') return 'gone'
  }
  const found = startTicksOf(pid)
  if (found === undefined || startTicks === undefined) return 'unknown'
  return found === startTicks ? 'there' : 'gone'
}

/** Field 22 of `/proc/<pid>/stat`, counted from behind the program's name, which may itself hold blanks and brackets. */
function startTicksOf(pid: number): string | undefined {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
