import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { open } from '../../../src/index.js'
import { StoreProcess } from '../store-process.js'
import { temporaryDirectories } from '../temporary.js'

const newPath = temporaryDirectories()

/** As a container runs it: with a network and with process ids of its own. */
const CONTAINER = ['unshare', '--net', '--pid', '--fork', '--kill-child', '--mount-proc']
const hasContainers = spawnSync(CONTAINER[0]!, [...CONTAINER.slice(1), 'true']).status === 0

/** Lets time in a process pass so many times faster, for its store alone. */
const FASTER = 20

function signal(process: ChildProcess | number, name: NodeJS.Signals): void {
  const pid = typeof process === 'number' ? process : process.pid!
  globalThis.process.kill(pid, name)
}

/** The process in a container, by its id out here. */
function insideOf(container: StoreProcess): number {
  const { pid } = container
  return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0])
}

// Where the system has no `unshare`, or forbids it, machines are simulated: test/fs/lock and the tests beside this one.
if (hasContainers) {
  describe('two containers with one directory', () => {
    it('never both write: the second one is refused while the first one lives, on either side', async () => {
      await using outside = new StoreProcess()
      await using inside = new StoreProcess(CONTAINER)
      const [ours, theirs] = [newPath(), newPath()]
      await outside.call('open', ours)
      await outside.call('put', 'a', '1')
      await inside.call('open', theirs)
      await expect(inside.call('open', ours)).rejects.toMatchObject({ code: 'SILT_LOCKED', pid: outside.pid })
      await expect(outside.call('open', theirs)).rejects.toMatchObject({ code: 'SILT_LOCKED' })
      await expect(inside.call('destroy', ours)).rejects.toMatchObject({ code: 'SILT_LOCKED' })
      await outside.call('put', 'b', '1')
      await outside.call('close')
      await inside.call('close')
      await inside.call('open', ours)
      expect(await inside.call('get', 'b')).toBe('1')
    })

    it('take over from each other when one is killed', async () => {
      const path = newPath()
      await using first = new StoreProcess(CONTAINER)
      await first.call('openFaster', path, FASTER)
      await first.call('put', 'a', '1')
      await first.kill()
      await using second = new StoreProcess(CONTAINER)
      await second.call('openFaster', path, FASTER)
      expect(await second.call('get', 'a')).toBe('1')
    })

    it('keep what both have acknowledged when one was stopped and wakes up', async () => {
      const path = newPath()
      await using first = new StoreProcess(CONTAINER)
      await using second = new StoreProcess()
      await first.call('openFaster', path, FASTER)
      await first.call('put', 'a', '1')
      const stopped = insideOf(first)
      signal(stopped, 'SIGSTOP')
      try {
        await second.call('openFaster', path, FASTER)
        await second.call('put', 'b', '1')
      } finally {
        signal(stopped, 'SIGCONT')
      }
      await expect(first.call('put', 'late', '1')).rejects.toMatchObject({ code: 'SILT_FENCED' })
      await expect(first.call('putSync', 'late', '1')).rejects.toMatchObject({ code: 'SILT_FENCED' })
      expect(await first.call('get', 'a')).toBe('1')
      await first.call('close')
      await second.call('flush')
      await second.call('close')
      await using db = await open(path)
      expect(await db.keys().toArray()).toEqual(['a', 'b'])
      expect(await db.verify()).toMatchObject({ ok: true })
    })
  })
}

it('a thread that ends with a store open does not keep it locked, by exception, exit or termination', async () => {
  const built = new URL('../../../dist/src/index.js', import.meta.url).href
  const endings = ['throw new Error("the thread crashes")', 'process.exit(1)', 'parentPort.postMessage("open")']
  for (const ending of endings) {
    const path = newPath()
    const code = `
      const { parentPort } = require('node:worker_threads')
      import(${JSON.stringify(built)}).then(async ({ open }) => {
        const db = await open(${JSON.stringify(path)})
        await db.put('a', '1')
        setImmediate(() => { ${ending} })
      })`
    const worker = new Worker(code, { eval: true })
    worker.on('error', () => {})
    const exited = new Promise((resolve) => worker.once('exit', resolve))
    worker.once('message', () => void worker.terminate())
    await exited
    await using db = await open(path)
    expect(await db.get('a')).toBe('1')
    expect(JSON.parse(readFileSync(join(path, 'LOCK'), 'utf8')).after).toBe('nothing')
  }
})

it('a process that another one holds up for a while keeps its store, if nobody else wants it', async () => {
  await using other = new StoreProcess()
  const path = newPath()
  await other.call('openFaster', path, FASTER)
  signal(other.pid, 'SIGSTOP')
  const woken = spawn('sleep', ['0.3'])
  await once(woken, 'exit')
  signal(other.pid, 'SIGCONT')
  await other.call('put', 'a', '1')
  expect(await other.call('get', 'a')).toBe('1')
})
