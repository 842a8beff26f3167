// A thread that writes to a store as a machine of its own would, and stops before a given call of its file system, as a process
// that is stopped (SIGSTOP), starved or out of reach does: for as long as nobody wakes it up. It knows time only from shared memory.
import { parentPort, workerData } from 'node:worker_threads'
import { lockDirectory } from '../../../dist/src/fs/directory-lock.js'
import { diskFileSystem } from '../../../dist/src/fs/disk-file-system.js'
import { open } from '../../../dist/src/index.js'
import { ACKNOWLEDGED, CALLS, CLOCK, keyOf, OPENED, STATE, STOP_AT, STOPPED, textOf } from './stoppable.mjs'

const { control, directory, machine, writes } = workerData

function called() {
  const number = Atomics.add(control, CALLS, 1) + 1
  if (number !== Atomics.load(control, STOP_AT)) return
  Atomics.store(control, STATE, STOPPED)
  Atomics.wait(control, STATE, STOPPED)
}

/** Calls on the file system, and on the files that it opens, are counted. */
function counted(target) {
  return new Proxy(target, {
    get(_, name) {
      const member = Reflect.get(target, name)
      if (typeof member !== 'function') return member
      return (...args) => {
        if (name !== 'statusSync' && name !== 'closeSync') called()
        const result = member.apply(target, args)
        return name === 'openSync' ? counted(result) : result
      }
    },
  })
}

const clock = {
  now: () => 1_700_000_000_000 + Atomics.load(control, CLOCK),
  monotonic: () => Atomics.load(control, CLOCK),
  after(delay, callback) {
    const due = Atomics.load(control, CLOCK) + delay
    const timer = setInterval(() => {
      if (Atomics.load(control, CLOCK) < due) return
      clearInterval(timer)
      callback()
    }, 1)
    timer.unref()
    return () => clearInterval(timer)
  },
}

const disk = counted(diskFileSystem)
const held = new Set()
const here = {
  process: machine,
  held,
  hasExactSockets: true,
  socketName: () => undefined,
  findProcess: () => 'there',
  takeSocket: async () => 'impossible',
}
const fs = new Proxy(disk, {
  get(target, name) {
    if (name === 'lock') return (path) => lockDirectory(disk, path, clock, here)
    return name === 'reachableFromWorkers' ? false : Reflect.get(target, name)
  },
})

let code
let late = 0
try {
  const db = await open(directory, { fs, clock, executor: 'inline', writeBufferBytes: 64 * 1024 })
  Atomics.store(control, OPENED, 1)
  try {
    for (let i = 0; i < writes; i++) {
      const sync = i % 5 === 0
      if (i % 2 === 0) db.putSync(keyOf('a', i), textOf('a', i), { sync })
      else await db.put(keyOf('a', i), textOf('a', i), { sync })
      Atomics.store(control, ACKNOWLEDGED, i + 1)
      if (i === writes / 2) await db.flush()
      if (i === writes - 5) await db.compact()
    }
  } catch (error) {
    code = error.code
    // Nothing else is taken either, what has nothing to do may say so, and what was written can still be read.
    const hear = (refused) => {
      if (refused.code !== code) throw refused
    }
    await db.put('late', 'x').then(() => late++, hear)
    await db.flush().catch(hear)
    await db.compact().catch(hear)
    if (Atomics.load(control, ACKNOWLEDGED) > 0) db.getSync(keyOf('a', Atomics.load(control, ACKNOWLEDGED) - 1))
  }
  await db.close()
} catch (error) {
  code ??= error.code ?? error.stack
}
parentPort.postMessage({ code, late })
