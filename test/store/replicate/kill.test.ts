import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { open, replicate } from '../../../src/index.js'
import { temporaryDirectories } from '../temporary.js'
import { digestOf } from './digest.js'

/** `npm run test:kill -- --rounds N`: so many kills, of source and replica in turns. */
const KILLS = Number(process.env['SILTSTONE_KILL_ROUNDS'] ?? 6)

const directory = temporaryDirectories()

/** A process that says a line for whatever it has done. */
class Worker {
  private readonly child: ChildProcess
  private readonly lines: AsyncIterator<string>

  constructor(program: string, ...args: string[]) {
    const path = fileURLToPath(new URL(`./${program}-process.mjs`, import.meta.url))
    this.child = spawn(process.execPath, [path, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]()
  }

  /** Until it has done so much more. Fails where it has ended instead. */
  async does(count: number): Promise<void> {
    for (let i = 0; i < count; i++) expect((await this.lines.next()).done).toBe(false)
  }

  async kill(): Promise<void> {
    const ended = once(this.child, 'close')
    this.child.kill('SIGKILL')
    expect((await ended)[1]).toBe('SIGKILL')
  }
}

it('a replica in another process is the same as its source after kills of either', {
  timeout: 60_000 + KILLS * 20_000,
}, async () => {
  const [sourcePath, replicaPath] = [directory(), directory()]
  const founded = await open(sourcePath)
  await founded.put('first', '1')
  await founded.checkpoint(replicaPath)
  await founded.close()
  let life = 0
  const startSource = (): Worker => new Worker('source', sourcePath, String(++life))
  const startReplica = (): Worker => new Worker('replica', sourcePath, replicaPath)
  let source = startSource()
  let replica = startReplica()
  for (let kill = 0; kill < KILLS; kill++) {
    await source.does(20 + ((kill * 37) % 200))
    await replica.does(1 + (kill % 3))
    if (kill % 2 === 0) {
      await replica.kill()
      replica = startReplica()
    } else {
      await source.kill()
      source = startSource()
    }
  }
  await source.does(50)
  await replica.does(1)
  await source.kill()
  await replica.kill()
  const kept = { recovery: 'strict', logRetention: { bytes: Number.POSITIVE_INFINITY } } as const
  await using from = await open(sourcePath, kept)
  await using to = await open(replicaPath, { recovery: 'strict' })
  expect(await to.count()).toBeGreaterThan(1)
  await replicate(from, to, { follow: false })
  // What expires between the two digests would make them differ.
  await new Promise((resolve) => setTimeout(resolve, 250))
  expect(digestOf(to)).toBe(digestOf(from))
  expect((await to.verify()).findings).toEqual([])
})
