import type { Clock } from '../../../src/bytes/clock.js'
import { lockDirectory } from '../../../src/fs/directory-lock.js'
import type { FileSystem } from '../../../src/fs/file-system.js'
import type { Process } from '../../../src/fs/holder.js'
import type { HeldSocket, Machine } from '../../../src/fs/machine.js'

let made = 0

/** Time that passes when it is told to, and a wall clock that says what it is told. */
class MachineClock implements Clock {
  /** What the wall clock says at the beginning of time; tests set it as they like. */
  wall: number
  private passed = 0
  private readonly timers = new Set<{ at: number; callback: () => void }>()

  constructor(wall: number) {
    this.wall = wall
  }

  now(): number {
    return this.wall + this.passed
  }

  monotonic(): number {
    return this.passed
  }

  after(delayMs: number, callback: () => void): () => void {
    const timer = { at: this.passed + delayMs, callback }
    this.timers.add(timer)
    return () => this.timers.delete(timer)
  }

  advance(ms: number): void {
    this.passed += ms
    for (const timer of [...this.timers].sort((a, b) => a.at - b.at)) {
      if (timer.at <= this.passed && this.timers.delete(timer)) timer.callback()
    }
  }
}

/**
 * A machine of its own, with a clock and a boot of its own, whose sockets and processes no other one sees. What it has in common with
 * others is the drive that it is given.
 */
export class SimulatedMachine implements Machine {
  readonly held = new Set<string>()
  readonly clock: MachineClock
  readonly hasExactSockets = true
  /** Ids of processes that live, with the time of their beginning. */
  readonly processes = new Map<number, string | undefined>()
  /** Sockets that somebody has. */
  readonly sockets = new Set<string>()
  hasSockets = true
  process: Process

  constructor(process: Partial<Process> = {}) {
    const number = ++made
    this.clock = new MachineClock(1_700_000_000_000 + number * 86_400_000)
    const whole = { pid: 100, host: `host${number}`, boot: `boot${number}`, pidNamespace: 'pid:[1]', startTicks: '1' }
    this.process = { ...whole, ...process }
    this.processes.set(this.process.pid, this.process.startTicks)
  }

  /** The same machine as another process of it, or as another thread of the same process, sees it. */
  another(process: Partial<Process>): SimulatedMachine {
    const other = new SimulatedMachine({ ...this.process, ...process })
    for (const [pid, ticks] of this.processes) other.processes.set(pid, ticks)
    for (const name of this.sockets) other.sockets.add(name)
    return other
  }

  findProcess(pid: number, startTicks: string | undefined): 'there' | 'gone' | 'unknown' {
    if (!this.processes.has(pid)) return 'gone'
    const found = this.processes.get(pid)
    if (found === undefined || startTicks === undefined) return 'unknown'
    return found === startTicks ? 'there' : 'gone'
  }

  socketName(directory: string): string | undefined {
    return this.hasSockets ? `net ${directory}` : undefined
  }

  async takeSocket(directory: string): Promise<HeldSocket | 'taken' | 'impossible'> {
    const name = this.socketName(directory)
    if (name === undefined) return 'impossible'
    if (this.sockets.has(name)) return 'taken'
    this.sockets.add(name)
    return {
      release: async () => {
        this.sockets.delete(name)
      },
    }
  }

  /** A drive as this machine sees it: its lock is taken in this machine's name, by this machine's clock. */
  on(drive: FileSystem): FileSystem {
    const lock: FileSystem['lock'] = (directory) => lockDirectory(drive, directory, this.clock, this)
    return new Proxy(drive, {
      get: (target, name) => {
        if (name === 'lock') return lock
        if (name === 'reachableFromWorkers') return false
        const member = Reflect.get(target, name)
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
  }

  /** Lets time pass on this machine until a promise settles; says how much did. */
  async passUntil(promise: Promise<unknown>, others: readonly SimulatedMachine[] = []): Promise<number> {
    let settled = false
    promise.then(
      () => (settled = true),
      () => (settled = true),
    )
    let passed = 0
    for (;;) {
      for (let turn = 0; turn < 3 && !settled; turn++) await new Promise((resolve) => setImmediate(resolve))
      if (settled) return passed
      for (const machine of [this, ...others]) machine.clock.advance(10)
      passed += 10
    }
  }
}
