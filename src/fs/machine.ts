import { readlinkSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { findProcess, type Process, thisProcess } from './holder.js'
import { releaseSocket, takeSocket } from './lock-socket.js'

/** The socket of a directory, taken. */
export interface HeldSocket {
  release(): Promise<void>
}

/** What a lock needs of the process and the machine around it; tests make a second machine of their own. */
export interface Machine {
  readonly process: Process
  /** Locks that this thread holds, by their ids. */
  readonly held: Set<string>
  /** The socket that is named after a directory, with the place that it can be seen from; `undefined` where that is not known. */
  socketName(directory: string): string | undefined
  /** Whether never two have the same socket. */
  readonly hasExactSockets: boolean
  /** What became of a process of this machine. */
  findProcess(pid: number, startTicks: string | undefined): 'there' | 'gone' | 'unknown'
  /** Takes the socket that is named after a directory. */
  takeSocket(directory: string): Promise<HeldSocket | 'taken' | 'impossible'>
}

class ThisMachine implements Machine {
  readonly held = new Set<string>()
  private readonly scope = scopeOfSockets()
  readonly hasExactSockets = process.platform === 'linux' || process.platform === 'win32'

  get process(): Process {
    return thisProcess()
  }

  findProcess(pid: number, startTicks: string | undefined): 'there' | 'gone' | 'unknown' {
    return findProcess(pid, startTicks)
  }

  socketName(directory: string): string | undefined {
    return this.scope === undefined ? undefined : `${this.scope} ${identityOf(directory)}`
  }

  async takeSocket(directory: string): Promise<HeldSocket | 'taken' | 'impossible'> {
    const outcome = await takeSocket(identityOf(directory))
    return typeof outcome === 'string' ? outcome : { release: () => releaseSocket(outcome) }
  }
}

/** Two paths to one directory meet. */
function identityOf(directory: string): string {
  const { dev, ino } = statSync(directory, { bigint: true })
  return `${dev}-${ino}`
}

/** Sockets belong to a network namespace on Linux, to the machine on Windows, and to a folder elsewhere. */
function scopeOfSockets(): string | undefined {
  if (process.platform === 'win32') return 'pipe'
  if (process.platform !== 'linux') return tmpdir()
  try {
    return readlinkSync('/proc/self/ns/net')
  } catch {
    return undefined
  }
}

/** The machine that this runs on. */
export const thisMachine: Machine = new ThisMachine()
