import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { type Database, open } from '../../src/index.js'
import { parseStoreFile } from '../../src/tree/file-names.js'
import { COUNT, contentAfter } from './numbered-commits.mjs'
import type { SeededRandom } from './seeded-random.js'

const WRITER = fileURLToPath(new URL('./doomed-writer.mjs', import.meta.url))

export interface KillTally {
  rounds: number
  /** Commits that were acknowledged before the kills. */
  acknowledged: number
  /** Times a reader beside the writer looked. */
  looks: number
}

/**
 * Lets a process write to a store on the disk, kills it after so many acknowledgements, and opens the store; again and again on
 * the same directory. In every third round a reader looks on while it is written to.
 */
export async function killRounds(directory: string, rounds: number, random: SeededRandom): Promise<KillTally> {
  const tally: KillTally = { rounds: 0, acknowledged: 0, looks: 0 }
  let first = 1
  for (let round = 0; round < rounds; round++) {
    const writer = new DoomedWriter(directory, first, random.below(1000))
    const mostCommits = random.pick([0, 1, 20, 300, 1500])
    try {
      if (round % 3 === 0) tally.looks += await lookOn(directory, writer, mostCommits)
      else await writer.acknowledges(first + random.below(mostCommits + 1) - 1)
    } finally {
      await writer.kill()
    }
    tally.acknowledged += Math.max(0, writer.acknowledged - first + 1)
    first = (await check(directory, writer.acknowledged)) + 1
    tally.rounds++
  }
  return tally
}

/** Opens the store for writing after a kill; says how many commits it holds. */
async function check(directory: string, acknowledged: number): Promise<number> {
  const db = await open(directory, { writeBufferBytes: 64 * 1024, recovery: 'strict' })
  try {
    const count = expectWhole(db, acknowledged)
    expect(db.recovery.losses.filter(({ kind }) => kind === 'rot')).toEqual([])
    await db.idle()
    expectWhole(db, count)
    const { findings } = await db.verify()
    expect(findings, 'what verify finds').toEqual([])
    return count
  } finally {
    await db.close()
    const strays = readdirSync(directory).filter((name) => parseStoreFile(name) === undefined)
    expect(strays, 'files that are not the store’s').toEqual([])
  }
}

/** The store is what its last commit says, and that is none before the last one acknowledged. */
function expectWhole(db: Database, acknowledged: number): number {
  const count = Number(db.getSync(COUNT) ?? 0)
  expect(count, 'the last commit that is there').toBeGreaterThanOrEqual(acknowledged)
  const expected = contentAfter(count)
  const snapshot = db.snapshot()
  try {
    expect(new Map(snapshot.entries().toArraySync())).toEqual(expected[''])
    const orders = snapshot.keyspace(db.keyspace('orders'))
    expect(new Map(orders.entries().toArraySync())).toEqual(expected.orders)
  } finally {
    snapshot.close()
  }
  return count
}

/** Reads beside the writer: everything acknowledged before a look is seen by it, and each look is one moment. */
async function lookOn(directory: string, writer: DoomedWriter, mostCommits: number): Promise<number> {
  await writer.isOpen()
  const { acknowledged: before, first } = writer
  const reader = await open(directory, { readOnly: true })
  let looks = 0
  try {
    expectWhole(reader, before)
    while (writer.isAlive && writer.acknowledged < first + mostCommits) {
      const acknowledged = writer.acknowledged
      await reader.refresh()
      expectWhole(reader, acknowledged)
      looks++
      // What the writer says meanwhile is to be heard.
      await new Promise((resolve) => setImmediate(resolve))
    }
    return looks
  } finally {
    await reader.close()
  }
}

/** A process that writes until it is killed. */
class DoomedWriter {
  readonly first: number
  /** The last commit of which it said that it was acknowledged; commits of one turn may be said out of order. */
  acknowledged: number
  isAlive = true
  private opened = false
  private readonly child
  private readonly lines
  private waiting: (() => void)[] = []

  constructor(directory: string, first: number, variety: number) {
    this.first = first
    this.acknowledged = first - 1
    const args = [WRITER, directory, String(first), String(variety)]
    this.child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.lines = createInterface({ input: this.child.stdout })
    this.lines.on('line', (line) => {
      if (line === 'open') this.opened = true
      else this.acknowledged = Math.max(this.acknowledged, Number(line))
      this.changed()
    })
    let complaint = ''
    this.child.stderr.on('data', (data) => {
      complaint += String(data)
    })
    this.child.on('close', (_, signal) => {
      this.isAlive = false
      if (signal !== 'SIGKILL') this.complaint = complaint || 'it ended by itself'
      this.changed()
    })
  }

  private complaint: string | undefined

  async isOpen(): Promise<void> {
    while (!this.opened && this.isAlive) await this.change()
  }

  /** Resolves when a commit was acknowledged, or none is to be waited for. */
  async acknowledges(number: number): Promise<void> {
    if (number < this.first) return
    while (this.acknowledged < number && this.isAlive) await this.change()
  }

  async kill(): Promise<void> {
    const ended = this.isAlive ? once(this.child, 'close') : undefined
    this.child.kill('SIGKILL')
    await ended
    expect(this.complaint, 'why the writer ended before it was killed').toBeUndefined()
  }

  private change(): Promise<void> {
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  private changed(): void {
    const { waiting } = this
    this.waiting = []
    for (const resolve of waiting) resolve()
  }
}
