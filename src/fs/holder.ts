import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { errorCode } from './system-error.js'

/** Who holds a lock, told so that others can find out whether it still lives. */
export interface Holder {
  readonly pid: number
  /** The machine's name, and its boot where the system tells one (Linux): a process dies with the boot it lived in. */
  readonly host: string
  readonly boot?: string
  /** Process ids count from one in every container; they compare only within one namespace. */
  readonly pidNamespace?: string
  /** When the process began, in ticks since boot: ids are given out again, id and beginning together are not. */
  readonly startTicks?: string
}

export function thisProcess(): Holder {
  const boot = attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim())
  const pidNamespace = attempt(() => readlinkSync('/proc/self/ns/pid'))
  const startTicks = startTicksOf(process.pid)
  return {
    pid: process.pid,
    host: hostname(),
    ...(boot === undefined ? {} : { boot }),
    ...(pidNamespace === undefined ? {} : { pidNamespace }),
    ...(startTicks === undefined ? {} : { startTicks }),
  }
}

/**
 * Whether a holder is certain to be alive. False means dead, or out of sight: on another machine, or in a container of its own.
 * Those two have to count as dead, because after a crash nobody else could tell either, and the store has to open again.
 */
export function isKnownAlive(holder: Holder, self: Holder): boolean {
  if (holder.host !== self.host && holder.boot === undefined) return false
  if (holder.boot !== self.boot || holder.pidNamespace !== self.pidNamespace) return false
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    // EPERM: it is there, it is only not ours to signal.
    if (errorCode(error) !== 'EPERM') return false
  }
  const startTicks = startTicksOf(holder.pid)
  return startTicks === undefined || holder.startTicks === undefined || startTicks === holder.startTicks
}

/** Reads what a lock file says; `undefined` where it is torn or was not written by this code. */
export function parseHolder(text: string): Holder | undefined {
  const said: unknown = attempt(() => JSON.parse(text))
  if (typeof said !== 'object' || said === null) return undefined
  const holder = said as Partial<Record<keyof Holder, unknown>>
  const pid = holder.pid
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0 || typeof holder.host !== 'string')
    return undefined
  return said as Holder
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
