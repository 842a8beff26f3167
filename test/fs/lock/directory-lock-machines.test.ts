import { describe, expect, it } from 'vitest'
import { BEAT_MS, FAREWELL_MS, SILENCE_MS } from '../../../src/fs/directory-lock.js'
import type { FileLock, FileSystem } from '../../../src/fs/file-system.js'
import { MemoryFileSystem } from '../../../src/fs/memory-file-system.js'
import { systemError } from '../../../src/fs/system-error.js'
import { readWholeFile } from '../../../src/fs/whole-file.js'
import { withSeeds } from '../../simulation/reproduce.js'
import { SimulatedMachine } from './simulated-machine.js'

const DIRECTORY = '/db'
const LOCK = `${DIRECTORY}/LOCK`

function newDrive(): MemoryFileSystem {
  const drive = new MemoryFileSystem()
  drive.makeDirectorySync(DIRECTORY)
  return drive
}

function read(drive: FileSystem, path = LOCK): string {
  return Buffer.from(readWholeFile(drive, path) ?? []).toString()
}

function write(drive: FileSystem, text: string, path = LOCK): void {
  const file = drive.openSync(path, 'create')
  file.writeSync(Buffer.from(text), 0, Buffer.byteLength(text), 0)
  file.closeSync()
}

/** What a machine would write as it stands, were it to hold the lock. */
function textOf(machine: SimulatedMachine, more: object = {}): string {
  return JSON.stringify({ id: '00000000000000aa', ...machine.process, ...more, after: 'nothing', beat: '000000000001' })
}

/** Takes a lock; says how long that took by the machine's own clock. */
async function take(
  machine: SimulatedMachine,
  drive: FileSystem,
  others: readonly SimulatedMachine[] = [],
): Promise<{ lock: FileLock; passed: number }> {
  const promise = machine.on(drive).lock(DIRECTORY)
  const passed = await machine.passUntil(promise, others)
  return { lock: await promise, passed }
}

const AT_ONCE = 100

describe('a lock among machines that do not see each other', () => {
  it('is refused at the first beat, with what is known of the holder', async () => {
    const drive = newDrive()
    const [a, b] = [new SimulatedMachine(), new SimulatedMachine()]
    const { lock, passed } = await take(a, drive)
    expect(passed).toBeLessThan(AT_ONCE)
    const refused = b.on(drive).lock(DIRECTORY)
    const watched = await b.passUntil(refused, [a])
    await expect(refused).rejects.toMatchObject({
      code: 'SILT_LOCKED',
      pid: a.process.pid,
      message: expect.stringContaining(`process ${a.process.pid} on ${a.process.host}`),
    })
    expect(watched).toBeLessThan(BEAT_MS + AT_ONCE)
    lock.verify!()
    await lock.release()
    expect((await take(b, drive)).passed).toBeLessThan(AT_ONCE)
  })

  it('goes to the next one when its holder is silent, and not before that has had time to notice', async () => {
    const drive = newDrive()
    const [a, b] = [new SimulatedMachine(), new SimulatedMachine()]
    const { lock } = await take(a, drive)
    const { lock: next, passed } = await take(b, drive)
    expect(passed).toBeGreaterThan(SILENCE_MS + FAREWELL_MS)
    expect(next.isAfterSilence).toBe(true)
    expect(FAREWELL_MS).toBeGreaterThan(BEAT_MS)
    expect(() => lock.verify!()).toThrow(expect.objectContaining({ code: 'SILT_FENCED' }))
    const before = read(drive)
    await lock.release()
    expect(read(drive)).toBe(before)
    next.verify!()
  })

  it('is looked at by its holder only after a beat without a look', async () => {
    const drive = newDrive()
    const [a, b] = [new SimulatedMachine(), new SimulatedMachine()]
    const { lock } = await take(a, drive)
    await take(b, drive)
    lock.check!()
    a.clock.advance(BEAT_MS + 1)
    expect(() => lock.check!()).toThrow(expect.objectContaining({ code: 'SILT_FENCED' }))
    expect(() => lock.check!()).toThrow(expect.objectContaining({ code: 'SILT_FENCED' }))
  })

  it('is kept whatever the wall clocks say', async () => {
    const drive = newDrive()
    const [a, b] = [new SimulatedMachine(), new SimulatedMachine()]
    const { lock } = await take(a, drive)
    const refused = b.on(drive).lock(DIRECTORY)
    refused.catch(() => {})
    for (const jump of [3_600_000, -7_200_000, 86_400_000 * 365]) {
      a.clock.wall += jump
      b.clock.wall -= jump
      lock.check!()
      await b.passUntil(new Promise((resolve) => setImmediate(resolve)), [a])
    }
    await b.passUntil(refused, [a])
    await expect(refused).rejects.toMatchObject({ code: 'SILT_LOCKED' })
    lock.verify!()
  })

  it('is lost when somebody removes its file', async () => {
    const drive = newDrive()
    const a = new SimulatedMachine()
    const { lock } = await take(a, drive)
    drive.removeSync(LOCK)
    expect(() => lock.verify!()).toThrow(expect.objectContaining({ code: 'SILT_FENCED' }))
    await lock.release()
    expect(drive.listSync(DIRECTORY)).toEqual([])
  })

  it('counts for a moment longer when its file cannot be read, and not for more', async () => {
    const drive = newDrive()
    const a = new SimulatedMachine()
    let isOut = false
    const flaky = new Proxy(drive, {
      get: (target, name) => {
        if (name === 'openSync' && isOut)
          return () => {
            throw systemError('EMFILE', 'open', LOCK)
          }
        const member = Reflect.get(target, name)
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
    const { lock } = await take(a, flaky)
    isOut = true
    lock.verify!()
    a.clock.advance(BEAT_MS + 1)
    expect(() => lock.check!()).toThrow(expect.objectContaining({ code: 'SILT_IO' }))
    isOut = false
    lock.check!()
  })

  it('cannot be taken on a drive that is only read, which is said so', async () => {
    const drive = newDrive()
    const readOnly = new Proxy(drive, {
      get: (target, name) => {
        const member = Reflect.get(target, name)
        if (name !== 'openSync') return typeof member === 'function' ? member.bind(target) : member
        return (path: string, mode: 'read' | 'create' | 'update') => {
          if (mode !== 'read') throw systemError('EROFS', 'open', path)
          return drive.openSync(path, mode)
        }
      },
    })
    await expect(new SimulatedMachine().on(readOnly).lock(DIRECTORY)).rejects.toMatchObject({
      code: 'SILT_IO',
      message: expect.stringContaining('readOnly: true'),
    })
  })
})

describe('a lock whose holder can be found out about', () => {
  it('is taken at once when its process is gone, or another one has its id', async () => {
    const a = new SimulatedMachine()
    const later = a.another({ pid: 200 })
    for (const [pid, startTicks] of [
      [300, '7'],
      [200, '7'],
      [100, '7'],
    ] as const) {
      const drive = newDrive()
      write(drive, textOf(a, { pid, startTicks }))
      const { lock, passed } = await take(later, drive)
      expect(passed, String(pid)).toBeLessThan(AT_ONCE)
      expect(lock.isAfterSilence).toBe(false)
      await lock.release()
    }
  })

  it('is refused at once while its process lives', async () => {
    const drive = newDrive()
    const a = new SimulatedMachine()
    const { lock } = await take(a, drive)
    const other = a.another({ pid: 200, startTicks: '2' })
    const refused = other.on(drive).lock(DIRECTORY)
    expect(await other.passUntil(refused)).toBeLessThan(AT_ONCE)
    await expect(refused).rejects.toMatchObject({ code: 'SILT_LOCKED', pid: 100 })
    await lock.release()
  })

  it('is taken at once from a thread of this process that has ended', async () => {
    const drive = newDrive()
    const a = new SimulatedMachine()
    await take(a, drive)
    // The kernel has closed its socket.
    a.sockets.clear()
    const sibling = a.another({})
    const { passed, lock } = await take(sibling, drive)
    expect(passed).toBeLessThan(AT_ONCE)
    expect(lock.isAfterSilence).toBe(false)
  })

  it('is taken after its silence from a thread that has ended, where there are no sockets', async () => {
    const drive = newDrive()
    const a = new SimulatedMachine()
    a.hasSockets = false
    const sibling = a.another({})
    sibling.hasSockets = false
    await take(a, drive)
    const { passed } = await take(sibling, drive)
    expect(passed).toBeGreaterThan(SILENCE_MS + FAREWELL_MS)
  })

  it('that a loss of power has left does not block where no boot can be told, though its process id is in use', async () => {
    const drive = newDrive()
    const unknown = { boot: undefined, pidNamespace: undefined, startTicks: undefined, machine: 'one' } as never
    const before = new SimulatedMachine(unknown)
    await take(before, drive)
    const after = new SimulatedMachine({ ...(unknown as object), pid: 200 })
    // Somebody has the number that the holder had.
    after.processes.set(before.process.pid, undefined)
    const { lock } = await take(after, drive)
    lock.verify!()
    await lock.release()
    // And where nobody has it, it is free at once.
    write(drive, '', `${DIRECTORY}/empty`)
    drive.renameSync(`${DIRECTORY}/empty`, LOCK)
    drive.removeSync(LOCK)
    write(drive, textOf(before, { pid: 4242 }))
    expect((await take(after, drive)).passed).toBeLessThan(AT_ONCE)
  })

  it('that is torn or nonsense is taken after a silence', async () => {
    for (const text of ['', '{"pid":', 'null', '[]', '{"pid":-1,"host":"x"}', '{"pid":1}']) {
      const drive = newDrive()
      write(drive, text)
      const { lock } = await take(new SimulatedMachine(), drive)
      lock.verify!()
      expect(drive.listSync(DIRECTORY)).toEqual(['LOCK'])
    }
  })

  it('that an earlier version has written is judged by what it says', async () => {
    const a = new SimulatedMachine()
    const other = a.another({ pid: 200, startTicks: '2' })
    const drive = newDrive()
    write(drive, `${JSON.stringify(a.process)}\n`)
    await expect(other.on(drive).lock(DIRECTORY)).rejects.toMatchObject({ code: 'SILT_LOCKED', pid: 100 })
    other.processes.delete(100)
    expect((await take(other, drive)).passed).toBeLessThan(AT_ONCE)
  })
})

describe('a socket that a stranger has', () => {
  function squatted(): SimulatedMachine {
    const machine = new SimulatedMachine()
    machine.sockets.add(machine.socketName(DIRECTORY)!)
    return machine
  }

  it('does not delay where the last holder has released the lock, or is dead', async () => {
    const drive = newDrive()
    const a = squatted()
    write(drive, textOf(a, { pid: 300 }))
    const { lock, passed } = await take(a, drive)
    expect(passed).toBeLessThan(AT_ONCE)
    await lock.release()
    expect((await take(a, drive)).passed).toBeLessThan(AT_ONCE)
  })

  it('delays where there is no file, as it may be a holder whose file was removed, and refuses nobody', async () => {
    const drive = newDrive()
    const { lock, passed } = await take(squatted(), drive)
    expect(passed).toBeGreaterThan(FAREWELL_MS)
    lock.verify!()
  })

  it('and a holder that is of this boot and alive is still refused by its file', async () => {
    const drive = newDrive()
    const a = squatted()
    await take(a, drive)
    const other = a.another({ pid: 200, startTicks: '2' })
    await expect(other.on(drive).lock(DIRECTORY)).rejects.toMatchObject({ code: 'SILT_LOCKED', pid: 100 })
  })
})

describe('those who take a lock at once', () => {
  it('are never two, whatever stands there, and however they interleave', () =>
    withSeeds(150, async (random) => {
      const drive = newDrive()
      const dead = new SimulatedMachine()
      const found = random.below(5)
      const left = textOf(dead)
      if (found === 1) write(drive, left)
      if (found === 2) write(drive, JSON.stringify({ id: '00000000000000aa', released: true, after: 'nothing' }))
      if (found === 3) write(drive, 'nonsense')
      if (found === 4) {
        // Somebody died while following the dead one.
        write(drive, left)
        write(drive, textOf(dead, { id: '00000000000000bb' }), `${LOCK}.00000000000000aa`)
      }
      const machines = Array.from({ length: 2 + random.below(3) }, () => new SimulatedMachine())
      const attempts = machines.map((machine) => machine.on(drive).lock(DIRECTORY))
      const outcomes = Promise.allSettled(attempts)
      let isOver = false
      void outcomes.then(() => (isOver = true))
      while (!isOver) {
        const machine = machines[random.below(machines.length)]!
        machine.clock.advance(1 + random.below(300))
        for (let turn = random.below(3); turn >= 0; turn--) await new Promise((resolve) => setImmediate(resolve))
        for (const each of machines) if (random.below(4) === 0) each.clock.advance(50)
      }
      // Clocks that run unlike by more than the margin let a second one in, but then the first one knows.
      const held = (await outcomes).filter((outcome) => outcome.status === 'fulfilled').map(({ value }) => value)
      const good = held.filter((lock) => {
        try {
          lock.verify!()
          return true
        } catch (error) {
          expect(error).toMatchObject({ code: 'SILT_FENCED' })
          return false
        }
      })
      expect(good, `found ${found}`).toHaveLength(1)
      for (const outcome of await outcomes) {
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'SILT_LOCKED' })
      }
      expect(drive.listSync(DIRECTORY).filter((name) => name.startsWith('LOCK.'))).toEqual([])
    }))
})
