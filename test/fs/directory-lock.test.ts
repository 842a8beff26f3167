import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { diskFileSystem } from '../../src/fs/disk-file-system.js'
import { findProcess, thisProcess } from '../../src/fs/holder.js'
import { releaseSocket, takeSocket } from '../../src/fs/lock-socket.js'

const PROGRAM = new URL('./lock-process.mjs', import.meta.url).pathname
const BUILT = new URL('../../dist/src/fs/disk-file-system.js', import.meta.url).href
const AS_MACOS = 'data:text/javascript,Object.defineProperty(process,"platform",{value:"darwin"})'

interface Answer {
  readonly held: boolean
  readonly code?: string
  readonly pid?: number
  readonly message?: string
}

/** Another process that takes locks on command. */
class LockProcess {
  readonly #child: ChildProcess
  readonly #lines: Interface

  constructor(...nodeOptions: string[]) {
    this.#child = spawn(process.execPath, [...nodeOptions, PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#lines = createInterface({ input: this.#child.stdout! })
  }

  get pid(): number {
    return this.#child.pid!
  }

  async lock(directory: string): Promise<Answer> {
    return this.#ask(`lock ${directory}`)
  }

  async release(): Promise<Answer> {
    return this.#ask('release')
  }

  /** Lets it end by itself; returns its exit code. */
  async end(): Promise<number> {
    this.#child.stdin!.end()
    const [code] = await once(this.#child, 'exit')
    return code
  }

  async kill(): Promise<void> {
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exited
  }

  async #ask(command: string): Promise<Answer> {
    const line = once(this.#lines, 'line')
    this.#child.stdin!.write(`${command}\n`)
    return JSON.parse((await line)[0])
  }
}

let base: string

beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'siltstone-lock-'))
})

afterAll(() => rmSync(base, { recursive: true, force: true }))

let made = 0

function newDirectory(): string {
  const directory = join(base, `d${++made}`)
  mkdirSync(directory)
  return directory
}

describe('the lock of a directory', () => {
  it('is refused to a second process, which learns the pid of the first', async () => {
    const directory = newDirectory()
    const other = new LockProcess()
    expect(await other.lock(directory)).toEqual({ held: true })
    await expect(diskFileSystem.lock(directory)).rejects.toMatchObject({
      code: 'SILT_LOCKED',
      pid: other.pid,
      message: expect.stringContaining(`${directory} is in use by process ${other.pid};`),
    })
    await other.release()
    const lock = await diskFileSystem.lock(directory)
    expect(await other.lock(directory)).toMatchObject({ held: false, code: 'SILT_LOCKED', pid: process.pid })
    await lock.release()
    expect(await other.end()).toBe(0)
  })

  it('goes to exactly one of two processes that ask at once, in each of 20 rounds', async () => {
    const processes = [new LockProcess(), new LockProcess()]
    const names = new Set<number>()
    for (let round = 0; round < 20; round++) {
      const directory = newDirectory()
      const answers = await Promise.all(processes.map((process) => process.lock(directory)))
      expect(answers.filter((answer) => answer.held)).toHaveLength(1)
      const winner = answers.findIndex((answer) => answer.held)
      expect(answers[1 - winner]).toMatchObject({ code: 'SILT_LOCKED', pid: processes[winner]!.pid })
      names.add(winner)
      await processes[winner]!.release()
      expect(readdirSync(directory)).toEqual(['LOCK'])
    }
    expect(names.size).toBeGreaterThan(0)
    await Promise.all(processes.map((process) => process.end()))
  })

  it('goes to exactly one of four processes that find the file of a dead one, in each of 10 rounds', async () => {
    const processes = Array.from({ length: 4 }, () => new LockProcess())
    const dead = new LockProcess()
    const { pid } = dead
    await dead.kill()
    for (let round = 0; round < 10; round++) {
      const directory = newDirectory()
      writeFileSync(join(directory, 'LOCK'), JSON.stringify({ ...thisProcess(), id: '00000000000000aa', pid }))
      const answers = await Promise.all(processes.map((process) => process.lock(directory)))
      expect(answers.filter((answer) => answer.held)).toHaveLength(1)
      const winner = answers.findIndex((answer) => answer.held)
      for (const answer of answers) if (!answer.held) expect(answer.code).toBe('SILT_LOCKED')
      await processes[winner]!.release()
      expect(readdirSync(directory)).toEqual(['LOCK'])
    }
    await Promise.all(processes.map((process) => process.end()))
  })

  it('is not kept from anybody by a stranger who has its socket', async () => {
    const directory = newDirectory()
    await (await diskFileSystem.lock(directory)).release()
    const { dev, ino } = statSync(directory, { bigint: true })
    const stranger = await takeSocket(`${dev}-${ino}`)
    if (typeof stranger === 'string') throw new Error(`expected a socket, not '${stranger}'`)
    const lock = await diskFileSystem.lock(directory)
    lock.verify!()
    await lock.release()
    await releaseSocket(stranger)
  })

  it('is free at once when its holder is killed', async () => {
    const directory = newDirectory()
    for (let round = 0; round < 5; round++) {
      const other = new LockProcess()
      expect(await other.lock(directory)).toEqual({ held: true })
      await other.kill()
      expect(readdirSync(directory)).toEqual(['LOCK'])
      const lock = await diskFileSystem.lock(directory)
      expect(JSON.parse(readFileSync(join(directory, 'LOCK'), 'utf8')).pid).toBe(process.pid)
      await lock.release()
    }
  })

  it('is the same through a symbolic link', async () => {
    const directory = newDirectory()
    symlinkSync(directory, `${directory}-link`)
    const lock = await diskFileSystem.lock(directory)
    await expect(diskFileSystem.lock(`${directory}-link`)).rejects.toMatchObject({ code: 'SILT_LOCKED' })
    await lock.release()
  })

  it('is refused to a worker thread of the same process', async () => {
    const directory = newDirectory()
    const lock = await diskFileSystem.lock(directory)
    const code = `
      const { parentPort } = require('node:worker_threads')
      import(${JSON.stringify(BUILT)})
        .then(({ diskFileSystem }) => diskFileSystem.lock(${JSON.stringify(directory)}))
        .then(() => parentPort.postMessage('held'), (error) => parentPort.postMessage(error.code))`
    const worker = new Worker(code, { eval: true })
    expect((await once(worker, 'message'))[0]).toBe('SILT_LOCKED')
    await worker.terminate()
    await lock.release()
  })

  it('does not keep its process alive', async () => {
    const directory = newDirectory()
    const code = `
      const { diskFileSystem } = await import(${JSON.stringify(BUILT)})
      await diskFileSystem.lock(${JSON.stringify(directory)})`
    await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], { timeout: 20_000 })
    const lock = await diskFileSystem.lock(directory)
    await lock.release()
  })

  it('leaves no handle, and a file that says so, when it is released, once or twice', async () => {
    const directory = newDirectory()
    const before = process.getActiveResourcesInfo().filter((resource) => resource === 'PipeWrap').length
    const lock = await diskFileSystem.lock(directory)
    await Promise.all([lock.release(), lock.release()])
    await lock.release()
    expect(readdirSync(directory)).toEqual(['LOCK'])
    expect(JSON.parse(readFileSync(join(directory, 'LOCK'), 'utf8'))).toMatchObject({ released: true })
    const after = process.getActiveResourcesInfo().filter((resource) => resource === 'PipeWrap').length
    expect(after).toBe(before)
  })

  it('outlives the directory: releasing it when that is gone or made again is no error', async () => {
    const directory = newDirectory()
    const lock = await diskFileSystem.lock(directory)
    rmSync(directory, { recursive: true })
    await lock.release()
    mkdirSync(directory)
    const again = await diskFileSystem.lock(directory)
    rmSync(join(directory, 'LOCK'))
    writeFileSync(join(directory, 'LOCK'), 'another')
    await again.release()
    expect(readFileSync(join(directory, 'LOCK'), 'utf8')).toBe('another')
  })

  if (process.platform === 'linux') {
    it('asks for readOnly where the directory cannot be written', async () => {
      // Refused to the superuser too.
      await expect(diskFileSystem.lock('/sys')).rejects.toMatchObject({
        code: 'SILT_IO',
        message: expect.stringContaining('readOnly: true'),
      })
    })
  }
})

describe('what is said of a process', () => {
  it('is that it is there while it lives, and gone when it is dead or another one has its id', async () => {
    const other = new LockProcess()
    const { startTicks } = thisProcess()
    if (startTicks === undefined) expect(findProcess(process.pid, undefined)).toBe('unknown')
    else {
      expect(findProcess(process.pid, startTicks)).toBe('there')
      expect(findProcess(process.pid, '1')).toBe('gone')
    }
    const { pid } = other
    expect(findProcess(pid, undefined)).toBe('unknown')
    await other.kill()
    expect(findProcess(pid, undefined)).toBe('gone')
  })
})

describe('the socket of a lock as a file', () => {
  async function asMacos<T>(run: () => Promise<T>): Promise<T> {
    const platform = Object.getOwnPropertyDescriptor(process, 'platform')!
    Object.defineProperty(process, 'platform', { value: 'darwin' })
    try {
      return await run()
    } finally {
      Object.defineProperty(process, 'platform', platform)
    }
  }

  it('is taken once, and again when it was released', () =>
    asMacos(async () => {
      const name = `test-${process.pid}`
      const server = await takeSocket(name)
      if (typeof server === 'string') throw new Error(`expected a socket, not '${server}'`)
      expect(await takeSocket(name)).toBe('taken')
      await releaseSocket(server)
      const again = await takeSocket(name)
      if (typeof again === 'string') throw new Error(`expected a socket, not '${again}'`)
      await releaseSocket(again)
    }))

  it('is taken from a process that was killed', async () => {
    const directory = newDirectory()
    const other = new LockProcess('--import', AS_MACOS)
    expect(await other.lock(directory)).toEqual({ held: true })
    await asMacos(() =>
      expect(diskFileSystem.lock(directory)).rejects.toMatchObject({ code: 'SILT_LOCKED', pid: other.pid }),
    )
    await other.kill()
    await asMacos(async () => (await diskFileSystem.lock(directory)).release())
  })
})
