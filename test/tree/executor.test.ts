import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { diskFileSystem } from '../../src/fs/disk-file-system.js'
import { WORKER_NICENESS } from '../../src/tree/tuning.js'
import { ForestFixture } from './forest-fixture.js'

const directories: string[] = []

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'siltstone-tree-'))
  directories.push(directory)
  return directory
}

afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true, force: true })
})

/** Of all threads of this process. */
function nicenesses(): number[] {
  return readdirSync('/proc/self/task').map((thread) => getPriority(Number(thread)))
}

async function fillAndSettle(executor: 'worker' | 'inline'): Promise<{ names: string[]; contents: Buffer[] }> {
  const directory = temporaryDirectory()
  const fixture = await ForestFixture.open({ fs: diskFileSystem, directory, executor })
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < 500; i++) fixture.segment.put(1, `key ${i * 7 + round}`, `value ${i} of round ${round}`)
    await fixture.flush()
    // Numbers of files are drawn on both threads: at rest it is known which one draws next.
    await fixture.forest.idle()
  }
  await fixture.forest.compactRange(fixture.tree(1), {
    range: { start: new Uint8Array(0), end: undefined },
    kind: 'major',
  })
  const names = fixture.files('.sst')
  const contents = fixture
    .tree(1)
    .version.metas()
    .flat()
    .map(({ number }) => readFileSync(join(directory, `${String(number).padStart(6, '0')}.sst`)))
  await fixture.close()
  return { names, contents }
}

describe('the executors', () => {
  it('write the same bytes, on this thread and in a worker', async () => {
    const inline = await fillAndSettle('inline')
    const worker = await fillAndSettle('worker')
    expect(inline.contents.length).toBeGreaterThan(0)
    expect(worker.contents).toEqual(inline.contents)
  })

  it.each(['worker', 'inline'] as const)(
    'let a %s flush be waited for without a turn of the event loop',
    async (executor) => {
      const fixture = await ForestFixture.open({ fs: diskFileSystem, directory: temporaryDirectory(), executor })
      let turns = 0
      const turn = setInterval(() => turns++, 1)
      const flushed: number[] = []
      for (let round = 0; round < 8; round++) {
        for (let i = 0; i < 200; i++) fixture.segment.put(1, `key ${i}`, `round ${round}`)
        void fixture.startFlush(() => flushed.push(round))
      }
      while (flushed.length < 8) fixture.forest.waitSync()
      expect(turns).toBe(0)
      clearInterval(turn)
      expect(flushed).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
      expect(fixture.get(1, 'key 100')).toBe('round 7')
      await fixture.close()
    },
  )

  it('let a flush that has ended be installed without a turn of the event loop', async () => {
    const directory = temporaryDirectory()
    const fixture = await ForestFixture.open({ fs: diskFileSystem, directory, executor: 'worker' })
    for (let i = 0; i < 200; i++) fixture.segment.put(1, `key ${i}`, 'value')
    let isInstalled = false
    void fixture.startFlush(() => {
      isInstalled = true
    })
    const sleep = new Int32Array(new SharedArrayBuffer(4))
    for (let looks = 0; looks < 5000 && !isInstalled; looks++) {
      fixture.forest.installEnded()
      Atomics.wait(sleep, 0, 0, 1)
    }
    expect(isInstalled).toBe(true)
    await fixture.close()
  })

  it('leave the processor to the thread that answers people', async () => {
    // Elsewhere niceness is not a thread's own.
    if (process.platform !== 'linux') return
    const fixture = await ForestFixture.open({
      fs: diskFileSystem,
      directory: temporaryDirectory(),
      executor: 'worker',
    })
    fixture.segment.put(1, 'key', 'value')
    const before = nicenesses()
    await fixture.flush()
    const raised = nicenesses().filter((niceness) => niceness === getPriority() + WORKER_NICENESS).length
    expect(raised).toBe(before.filter((niceness) => niceness === getPriority() + WORKER_NICENESS).length + 1)
    await fixture.close()
  })
})
